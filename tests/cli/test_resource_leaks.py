"""Sockets and threads that real programs lose, beside one that does the same and loses none."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pythons
from cli.running import COMMAND
from cli.unprivileged import needs_root

SECONDS = 10
"""Too short to be sure, long enough for a suspicion."""

SUSPICION = 0.1
WAYS = {"sockets": 14, "threads": 19}
"""What is lost, and the line that makes it."""


def reports(targets: Path, *ways: str) -> list[dict[str, Any]]:
    """Watch a program for each way at the same time."""
    with ExitStack() as held:
        running = [
            held.enter_context(pythons.own().spawn(targets / "losing.py", way)) for way in (*ways, "nothing")
        ]
        attached = [
            subprocess.Popen(
                [*COMMAND, "attach", str(target.pid), "--duration", str(SECONDS), "--json"],
                stdout=subprocess.PIPE,
            )
            for target in running
        ]
        return [json.loads(one.communicate(timeout=120)[0]) for one in attached]


@needs_root
def test_what_is_lost_is_suspected_and_what_is_not_lost_is_not(bpf: None, targets: Path) -> None:
    *lost, healthy = reports(targets, *WAYS)
    for (way, line), report in zip(WAYS.items(), lost, strict=True):
        (found,) = [one for one in report["findings"] if one["confidence"] > SUSPICION]
        assert found["kind"] == way
        assert (way, line) in [(frame["function"], frame["line"]) for frame in found["site"]]
    assert lost[0]["findings"][0]["type"] == "socket CLOSE_WAIT"
    assert [one for one in healthy["findings"] if one["confidence"] > SUSPICION] == []
    assert healthy["memory"]["verdict"] == "steady"
