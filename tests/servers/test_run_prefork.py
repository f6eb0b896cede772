"""Servers with several workers under load, started by `memprobe run`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from cli.running import document
from cli.test_attach import wait_for
from cli.test_run import launched, report_of
from cli.unprivileged import needs_root
from memprobe.recording.reader import RecordingReader
from patience import PATIENCE_S, until
from servers.load import CELERY, GUNICORN, PATIENT, TARGETS, Count, free_port, python_with, requests, tasks

UNSPARING = ("--max-overhead", "100", "--set", "budget.cpu_pct=1000", "--set", "budget.heap_pct=20")
"""What is shed on a busy machine is tested elsewhere."""


def kept(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["holder"].endswith(".SEEN")]


def wait_for_finding(recording: Path, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until what piles up is told so, and return that."""
    return until(lambda: next(filter(is_it, kept(document("report", str(recording)))), {}), pause_s=1)


def looked_into(server: list[str], workers: int, work: AbstractContextManager[Count], folder: Path) -> int:
    """Run a server: what piles up in all its workers is one finding, with the sum of all, to the end.

    The end comes soon after the load: what rests for long is no leak any more. So the last numbers may be of
    shortly before. Return how many processes were looked into.
    """
    recording, report = folder / "run.mprobe", folder / "report.json"
    options = ("--json", "--preset", "aggressive", "--report", report, "--record", recording, *UNSPARING)
    with launched(server, *options) as program:
        wait_for(recording, "samples", program)
        with work as count:
            everywhere = f"in {workers} processes"
            told = wait_for_finding(
                recording, lambda one: one["confidence"] >= 0.5 and everywhere in one["title"]
            )
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0, errors
    (found,) = kept(report_of(report))
    assert told["count"] <= found["count"] <= count()
    with RecordingReader(recording) as reader:
        return len({int(pid) for batch in iter(reader.poll, None) for pid in batch.looks["pid"]})


@needs_root
def test_eight_workers_of_gunicorn(bpf: None, tmp_path: Path) -> None:
    port = free_port()
    server = [*python_with(GUNICORN), "gunicorn", *PATIENT, "--chdir", str(TARGETS), "--workers", "8"]
    server += ["--bind", f"127.0.0.1:{port}", "leaking_service:app"]
    assert looked_into(server, 8, requests(port), tmp_path) == 9  # and the one that has started them


@needs_root
def test_workers_of_uvicorn(bpf: None, tmp_path: Path) -> None:
    """They are no forks: each is a Python that begins anew."""
    port = free_port()
    server = [sys.executable, "-m", "uvicorn", "leaking_service:asgi", "--app-dir", str(TARGETS)]
    server += ["--workers", "4", "--port", str(port), "--lifespan", "off", "--log-level", "error"]
    assert looked_into(server, 4, requests(port), tmp_path) >= 5  # and a tracker of resources


@needs_root
def test_workers_of_celery(bpf: None, tmp_path: Path) -> None:
    python = python_with(CELERY)
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    server = ["env", f"LEAKING_TASKS={tmp_path}", *python, "celery", "--workdir", str(TARGETS)]
    server += ["--app", "leaking_tasks", "worker", "--concurrency", "4", "--loglevel", "ERROR"]
    server += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    assert looked_into(server, 4, tasks(python, tmp_path), tmp_path) == 5
