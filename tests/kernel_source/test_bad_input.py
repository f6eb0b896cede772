"""What makes it hard: no tracefs, no rights, a tiny ring, thousands of threads, another Python."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from cli.test_attach import OPENED, WITHOUT_BPF, attached, born, ended, frame_of, wait_for
from kernel_source.folded import folded
from kernel_source.following import EVERY_STACK
from memprobe.ledger.entries import Mark
from memprobe.sources.kernel import KernelOptions
from pythons import Interpreter, own
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root, pytest.mark.few_interpreters]

THREADS, FEWER_THREADS = 10_000, 2_000
"""Fewer under interpreters that the tests do not run under themselves; MEMPROBE_EXHAUSTIVE has them all."""

UNMOUNT = (
    "for mount in /sys/kernel/tracing /sys/kernel/debug/tracing /sys/kernel/debug; do umount -l $mount; done "
    '2>/dev/null; [ ! -e /sys/kernel/tracing/events ] || exit 9; exec "$@"'
)
WITHOUT_TRACEFS = ("unshare", "--mount", "sh", "-c", UNMOUNT, "sh")
WITHOUT_ADMINISTRATION = ("setpriv", "--bounding-set", "-sys_admin", "--")
"""With BPF and performance monitoring alone: tracefs cannot be had."""


@pytest.mark.parametrize(
    ("wrapper", "tier"),
    [(WITHOUT_TRACEFS, 2), (WITHOUT_ADMINISTRATION, None), (WITHOUT_BPF, 1)],
    ids=["no tracefs mounted", "no tracefs at all", "no BPF"],
)
def test_rights_and_mounts(targets: Path, tmp_path: Path, wrapper: tuple[str, ...], tier: int | None) -> None:
    recording = tmp_path / "run.mprobe"
    with (
        own().spawn(targets / "leaking.py") as target,
        attached(target.pid, "--json", "--record", recording, wrapper=wrapper) as process,
    ):
        wait_for(recording, "pictures", process)
        truth = json.loads(target.ask(str(OPENED)))
        report = ended(process)
    assert sum(row["open"] for row in report["handles"]) == len(truth) - 1
    assert tier in (None, report["target"]["tier"])
    if report["target"]["tier"] == 2 and not report["evidence"]["invisible"]:
        (files,) = born(report, "open_file")
        assert (files["open"], frame_of(files, "open_file")["line"]) == (OPENED, 11)
    else:
        assert any("not seen" in one or "cannot be" in one for one in report["evidence"]["invisible"]), report
    assert tier != 2 or report["evidence"]["invisible"] == []


def test_a_ring_of_one_page_loses_counted_and_is_repaired(interpreter: Interpreter, targets: Path) -> None:
    options = KernelOptions(ring_bytes=4096, settings=EVERY_STACK)
    with interpreter.spawn(targets / "family.py") as target, folded(target, options) as run:
        for _ in range(5):
            opened = [int(one) for one in run.target.ask("open 400").split()]
        run.poll()
        before = len(run.found.table("births"))
        run.found.source.settle()
        run.until(lambda: len(run.open(target.pid)) == len(opened) * 5 + 3)
        rows = run.open(target.pid)
        assert rows["descriptor"].tolist() == list(range(2003))
        lost = run.found.losses["birth_ring_full"]
        assert before + lost == 2000
        missed = int((rows["marks"] & Mark.MISSED != 0).sum())
        assert missed == lost == run.ledger.handles.evidence.repaired


def test_ten_thousand_threads(interpreter: Interpreter, targets: Path) -> None:
    script = targets / "many_threads.py"
    everything = os.environ.get("MEMPROBE_EXHAUSTIVE") or interpreter.name == own().name
    threads = THREADS if everything else FEWER_THREADS
    with interpreter.spawn(script, str(threads)) as target, folded(target) as run:
        opened = {(tid, number) for tid, number in json.loads(run.ask("300"))}
        births = run.found.table("births")
        assert {(int(row["tid"]), int(row["descriptor"])) for row in births} == opened
        assert len(opened) == 300
        for number in set(births["stack_id"].tolist()):
            stack = run.found.stacks[number]
            assert stack.complete
            assert (stack.frames[0].function, stack.frames[0].line) == ("wake_and_open", known_line(script))
            assert stack.frames[-1].function.endswith("_bootstrap")
        assert run.found.losses == {}


def test_another_version_of_python_takes_over(interpreter: Interpreter, targets: Path) -> None:
    """exec in the middle of a run: the new Python is found, and its stacks are named by its own layout."""
    if interpreter.root is not None:
        pytest.skip("it lives in another root, where the running one cannot go")
    script = targets / "family.py"
    with own().spawn(script) as target, folded(target) as run:
        first = [int(one) for one in run.ask("open 3").split()]
        target.send(f"exec {interpreter.own_path} {script}")
        run.expect("ready")
        run.until(lambda: run.found.source.knows_stacks(target.pid))
        opened = [int(one) for one in run.ask("open 7").split()]
        rows = run.open(target.pid)
        assert rows["descriptor"].tolist() == sorted({0, 1, 2, *opened}), (
            "those of before were closed by exec"
        )
        assert set(first) <= set(opened)
        for row in rows[np.isin(rows["descriptor"], opened)]:
            frames = run.found.stacks[int(row["stack_id"])].frames
            names = [(one.function, one.line) for one in frames if "listcomp" not in one.function]
            assert names[0] == ("open_some", known_line(script))
            assert names[-1][0] == "<module>"
        assert run.ledger.handles.evidence.repaired == 0


def known_line(script: Path) -> int:
    lines = script.read_text().splitlines()
    return next(at for at, text in enumerate(lines, 1) if text.endswith("# known line"))
