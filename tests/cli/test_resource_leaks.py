"""Sockets and threads that real programs lose, beside one that does the same and loses none."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pythons
from cli.running import document
from cli.test_attach import attached, ended, wait_for
from cli.unprivileged import needs_root
from patience import until

SUSPICION = 0.1
WAYS = {"sockets": 14, "threads": 19}
"""What is lost, and the line that makes it."""


def suspicions(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["confidence"] > SUSPICION]


def is_told(report: dict[str, Any]) -> bool:
    """Whether something is suspected, and of sockets, in which state they are: that is read now and then."""
    return any(one["type"] != "socket" for one in suspicions(report))


def reports(targets: Path, folder: Path, *ways: str) -> list[dict[str, Any]]:
    """Watch a program for each way at the same time, and one that loses nothing, until all are suspected."""
    with ExitStack() as held:
        watched = {}
        for way in (*ways, "nothing"):
            target = held.enter_context(pythons.own().spawn(targets / "losing.py", way))
            options = ("--json", "--record", folder / way)
            watched[way] = held.enter_context(attached(target.pid, *options))
        for way, process in watched.items():
            wait_for(folder / way, "samples", process)
        for way in ways:
            until(lambda path=folder / way: is_told(document("report", str(path))), pause_s=1)  # type: ignore[misc]
        return [ended(process) for process in watched.values()]


@needs_root
def test_what_is_lost_is_suspected_and_what_is_not_lost_is_not(
    bpf: None, targets: Path, tmp_path: Path
) -> None:
    *lost, healthy = reports(targets, tmp_path, *WAYS)
    for (way, line), report in zip(WAYS.items(), lost, strict=True):
        (found,) = suspicions(report)
        assert found["kind"] == way
        assert (way, line) in [(frame["function"], frame["line"]) for frame in found["site"]]
    # Of those that came last the state may not have been read yet.
    assert lost[0]["findings"][0]["type"] in ("socket CLOSE_WAIT", "socket")
    assert suspicions(healthy) == []
    assert healthy["memory"]["verdict"] == "steady"
