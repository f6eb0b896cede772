"""protect() in a server with four workers: each is watched, each leak is found, nothing is left."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pythons
from cli.unprivileged import needs_root
from inside.protected import guard_of, guards, nothing_is_left
from patience import PATIENCE_S

WORKERS = 4


def ask(port: int, path: str) -> tuple[int, Any]:
    """Ask whichever worker takes the connection; return which it was, and its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        return answer["pid"], answer["answer"]
    finally:
        connection.close()


def asked_of_all(port: int, path: str) -> dict[int, Any]:
    """Ask until every worker has answered; the last answers."""
    answers: dict[int, Any] = {}
    end_s = time.monotonic() + PATIENCE_S
    while len(answers) < WORKERS and time.monotonic() < end_s:
        try:
            pid, answer = ask(port, path)
            answers[pid] = answers.get(pid) or answer
        except OSError:  # it is starting
            time.sleep(0.05)
    assert len(answers) == WORKERS
    return answers


def leaks(report: dict[str, Any]) -> list[str]:
    return [one["holder"] for one in report["findings"] if one["confidence"] >= 0.5]


@needs_root
def test_every_worker_of_uvicorn_is_watched(bpf: None, targets: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "guarded_asgi:application", "--app-dir", str(targets)]
    command += ["--workers", str(WORKERS), "--port", str(port), "--lifespan", "off", "--log-level", "error"]
    with pythons.spawn_command(command, ready=None, environment={"XDG_STATE_HOME": str(tmp_path)}) as target:
        pids = list(asked_of_all(port, "/leak"))
        end_s = time.monotonic() + PATIENCE_S
        reports = asked_of_all(port, "/report")
        while not all(leaks(one) for one in reports.values()) and time.monotonic() < end_s:
            time.sleep(1)
            reports = asked_of_all(port, "/report")
        assert sorted(reports) == sorted(pids)
        assert [leaks(one) for one in reports.values()] == [["guarded_asgi.CACHE"]] * WORKERS, target.errors()
        assert len({guard_of(pid) for pid in pids}) == WORKERS
        for report in reports.values():
            assert report["target"]["tier"] == 2
            assert report["overhead"]["target_slowdown_pct"] <= report["overhead"]["budget_pct"]
        while sum(len(guards(pid)) for pid in pids) and time.monotonic() < end_s:
            ask(port, "/stop")
        assert all(nothing_is_left(pid) for pid in pids)
        assert asked_of_all(port, "/report") == dict.fromkeys(pids)
