"""A pre-fork server from PyPI with 8 workers under load, started by `memprobe run`."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.running import document
from cli.test_attach import wait_for
from cli.test_run import launched, report_of
from cli.unprivileged import needs_root
from detection.environments import NotHere, command
from memprobe.recording.reader import RecordingReader
from patience import PATIENCE_S, TRIES, until

WORKERS = 8
SERVER = "gunicorn==23.0.0"
CLIENTS = 3
NO_LIMITS = ("--timeout", "0", "--graceful-timeout", str(int(PATIENCE_S)))
"""Of gunicorn's own: on a busy machine it would replace workers that it has not heard of for a while."""

UNSPARING = ("--max-overhead", "100", "--set", "budget.cpu_pct=1000", "--set", "budget.heap_pct=20")
"""What is shed on a busy machine is tested elsewhere."""


class Connection(http.client.HTTPConnection):
    """To a socket in a folder: a port that is free may be somebody else's by the time that it is used."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        """Reach the server."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def asked(path: Path) -> bool:
    """Whether the server has answered; it may not have begun to listen yet."""
    connection = Connection(path)
    try:
        connection.request("GET", "/")
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    else:
        assert connection.getresponse().read() == b"kept"
        return True
    finally:
        connection.close()


@contextmanager
def load(path: Path, answers: list[int]) -> Iterator[None]:
    """Ask for something all the time; `answers` counts how often each client had an answer."""
    is_over = threading.Event()

    def ask(number: int) -> None:
        while not is_over.is_set():
            answers[number] += asked(path)
            time.sleep(0.01)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(answers))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def kept(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["holder"].endswith("leaking_service.SEEN")]


def until_found(recording: Path, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the finding, as the run goes on, is so; and return it."""

    def found() -> dict[str, Any] | None:
        findings = kept(document("report", str(recording)))
        return findings[0] if findings and is_so(findings[0]) else None

    finding = until(found, pause_s=2)
    assert finding is not None
    return finding


def is_sure(finding: dict[str, Any]) -> bool:
    """Whether it is known what piles up, in all workers."""
    return finding["confidence"] >= 0.5 and f"in {WORKERS} processes" in finding["title"]


def looked_at(recording: Path) -> set[int]:
    with RecordingReader(recording) as reader:
        return {int(pid) for batch in iter(reader.poll, None) for pid in batch.looks["pid"]}


@needs_root
def test_eight_workers_under_load(bpf: None, tmp_path: Path) -> None:
    """What piles up in all of them is one finding with the sum of all; it stays when they end."""
    try:
        python = command("3.11", [SERVER], Path("-m"))
    except NotHere as error:
        pytest.skip(str(error))
    listens, recording, report = tmp_path / "s", tmp_path / "run.mprobe", tmp_path / "report.json"
    server = ["gunicorn", "--workers", str(WORKERS), "--bind", f"unix:{listens}", *NO_LIMITS]
    options = ("--json", "--report", report, "--record", recording, *UNSPARING)
    folder = ("--chdir", str(Path(__file__).parent))
    answers = [0] * CLIENTS
    with launched([*python, *server, *folder, "leaking_service:app"], *options) as program:
        wait_for(recording, "samples", program)
        for _ in range(TRIES):
            with load(listens, answers):
                until_found(recording, is_sure)
                until(lambda: len(looked_at(recording)) > WORKERS)
            # All lengths have been read again when nothing comes any more: mostly within seconds. A leak
            # that stands still for minutes, on a machine that takes so long, is none any more.
            if is_sure(until_found(recording, lambda finding: finding["count"] == sum(answers))):
                break
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0, errors
    (found,) = kept(report_of(report))
    assert found["confidence"] >= 0.5
    assert found["count"] == sum(answers)
    assert len(looked_at(recording)) == WORKERS + 1  # and the one that started them
