"""protect() in an application that gunicorn loads once and then forks: one guard for all workers."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

from cli.running import COMMAND
from cli.unprivileged import needs_root
from inside.protected import guard_of, guards, nothing_is_left
from patience import PATIENCE_S
from pythons import spawn_command
from servers.load import GUNICORN, PATIENT, TARGETS, free_port, python_with, requests

WORKERS = 3


def ask(port: int, path: str) -> tuple[int, Any]:
    """Ask whichever worker takes the connection: its pid, and its answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
        told = json.loads(answer.read())
    return told["pid"], told["answer"]


def asked_of_all(port: int, path: str) -> dict[int, Any]:
    """Ask until every worker has answered."""
    answers: dict[int, Any] = {}
    end_s = time.monotonic() + PATIENCE_S
    while len(answers) < WORKERS and time.monotonic() < end_s:
        pid, answer = ask(port, path)
        answers[pid] = answer
    assert len(answers) == WORKERS
    return answers


def is_found(report: dict[str, Any]) -> bool:
    return any(
        one["holder"].endswith("guarded_wsgi.SEEN")
        and one["confidence"] >= 0.5
        and f"in {WORKERS} processes" in one["title"]
        for one in report["findings"]
    )


@needs_root
def test_one_guard_for_all_workers(bpf: None, tmp_path: Path) -> None:
    port = free_port()
    server = [
        *python_with(GUNICORN),
        "gunicorn",
        "--preload",
        *PATIENT,
        "--chdir",
        str(TARGETS),
        "--workers",
        str(WORKERS),
    ]
    server += ["--bind", f"127.0.0.1:{port}", "guarded_wsgi:application"]
    environment = {"GUARD_COMMAND": " ".join(COMMAND), "XDG_STATE_HOME": str(tmp_path)}
    with spawn_command(server, ready=None, environment=environment) as target:
        with requests(port) as count:
            end_s = time.monotonic() + PATIENCE_S
            while not count():
                assert time.monotonic() < end_s, target.errors()
                time.sleep(0.1)
            while not is_found(ask(port, "/report")[1]):
                assert time.monotonic() < end_s, target.errors()
                time.sleep(0.5)
        reports = asked_of_all(port, "/report")
        assert {one["target"]["pid"] for one in reports.values()} == {target.pid}
        guard = guard_of(target.pid)
        assert asked_of_all(port, "/stop") == dict.fromkeys(reports, False)
        assert guard_of(target.pid) == guard
        assert not any(guards(pid) for pid in reports)
        target.process.send_signal(signal.SIGTERM)
        assert target.process.wait(PATIENCE_S) == 0
        assert nothing_is_left(target.pid)
