"""What the runs of `memprobe blame` say when the process ends, or becomes another program, meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import pythons
from memprobe.heap.seeking import seek
from memprobe.session.blaming import BlameOptions, blaming
from memprobe.session.referring import referring
from memprobe.session.surviving import surviving
from patience import PATIENCE_S
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

Begin = Callable[[int, dict[str, Any]], AbstractContextManager[Any]]
"""Begins a run on a process, given its containers."""


def blames(pid: int, sought: dict[str, Any]) -> AbstractContextManager[Any]:
    return blaming(pid, sought, BlameOptions())


def traces_births(pid: int, sought: dict[str, Any]) -> AbstractContextManager[Any]:
    return surviving(pid, 1.0, 0)


def counts_references(pid: int, sought: dict[str, Any]) -> AbstractContextManager[Any]:
    _, kind, address, type_address, *_ = sought["found"][0]
    found = {"offsets": sought["header"], "found": [[kind, address, 1, type_address]]}
    return referring(pid, found, 1.0, 0)


@pytest.mark.parametrize(("order", "said"), [("exec", "it called exec"), ("exit", "it ended")])
@pytest.mark.parametrize("begin", [blames, traces_births, counts_references])
def test_the_report_comes_all_the_same(begin: Begin, order: str, said: str, targets: Path) -> None:
    with pythons.own().spawn(targets / "filling_until.py") as target:
        sought = seek(target.pid, "__main__.KEPT", lambda _: None)
        end_s, ticks = time.monotonic() + PATIENCE_S, 0

        def go_on() -> bool:
            nonlocal ticks
            ticks += 1
            if ticks == 8:
                target.send(order)
            return time.monotonic() < end_s

        with begin(target.pid, sought) as run:
            run.run(go_on, *([] if begin is counts_references else [lambda _: None]))
            report = run.report()
    assert said in report.target["ended"]
    assert report.overhead["budget_pct"] == 1.0
