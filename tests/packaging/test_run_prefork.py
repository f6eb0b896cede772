"""A pre-fork server from PyPI with 8 workers under load, started by `memprobe run`."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.running import run
from cli.test_attach import wait_for
from cli.test_run import launched, report_of
from cli.unprivileged import needs_root
from detection.environments import NotHere, command
from memprobe.recording.reader import RecordingReader

WORKERS = 8
SERVER = "gunicorn==23.0.0"
PATIENCE_S = 240


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert isinstance(port, int)
        return port


@contextmanager
def load(port: int) -> Iterator[list[int]]:
    """Ask for something all the time; how often there was an answer."""
    answers, is_over = [0, 0, 0], threading.Event()

    def ask(number: int) -> None:
        while not is_over.is_set():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
                answers[number] += 1
            except OSError:
                pass  # it has not begun yet
            time.sleep(0.01)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(answers))]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def kept(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["holder"].endswith("leaking_service.SEEN")]


def wait_for_finding(recording: Path) -> None:
    """Wait until it is sure what piles up, in all workers."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        found = kept(json.loads(run("report", str(recording), "--json").stdout))
        if found and found[0]["confidence"] >= 0.5 and f"in {WORKERS} processes" in found[0]["title"]:
            return
        time.sleep(3)
    raise AssertionError(f"not found in {PATIENCE_S} s: {found}")


@needs_root
def test_eight_workers_under_load(bpf: None, tmp_path: Path) -> None:
    """What piles up in all of them is one finding with the sum of all; it stays when they end."""
    try:
        python = command("3.11", [SERVER], Path("-m"))
    except NotHere as error:
        pytest.skip(str(error))
    port, recording, report = free_port(), tmp_path / "run.mprobe", tmp_path / "report.json"
    server = ["gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}", "leaking_service:app"]
    folder = ("--chdir", str(Path(__file__).parent))
    options = ("--json", "--report", report, "--record", recording)
    with launched([*python, server[0], *folder, *server[1:]], *options) as program:
        wait_for(recording, "samples", program)
        with load(port) as answers:
            wait_for_finding(recording)
        time.sleep(3)  # its lengths are read every second
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=120)
    assert program.returncode == 0, errors
    (found,) = kept(report_of(report))
    assert found["confidence"] >= 0.5
    assert found["count"] == sum(answers)
    with RecordingReader(recording) as reader:
        looked_at = {int(pid) for batch in iter(reader.poll, None) for pid in batch.looks["pid"]}
    assert len(looked_at) == WORKERS + 1  # and the one that started them
