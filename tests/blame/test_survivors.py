"""Where survivors are born: real programs, whose one line keeps what others let go of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from memprobe.blame import births
from memprobe.blame.survivors import Survivors, SurvivorSampling
from memprobe.ledger import Ledger
from memprobe.ledger.insertions import Filled
from memprobe.session import fold
from memprobe.sources.kernel import KernelOptions, KernelSource
from memprobe.sources.kernel.options import Settings
from memprobe.target.inspection.opening import Opened, opened
from memprobe.vocab import Stack
from memprobe.vocab.stack import own_frame
from patience import PATIENCE_S
from programs import Target
from pythons import Interpreter

pytestmark = pytest.mark.usefixtures("bpf")

OPTIONS = KernelOptions(growth=False, settings=Settings(handles=False))
HORIZON_S = 1.5
WANTED = 12


def sampled(target: Target) -> tuple[list[Survivors], dict[int, Stack], float]:
    """Sample until enough has survived; what was found, and how many a second the target says it kept."""
    with opened(target.pid) as held:
        assert held.python is not None
        source = KernelSource(held.process, held.python, OPTIONS)
        source.start()
        try:
            assert source.births is not None
            sampling = SurvivorSampling(
                source.births, held.process, held.python, budget_pct=5.0, horizon_s=HORIZON_S
            )
            assert sampling.prepare(), sampling.reason
            sampling.begin(time.monotonic_ns())
            return _until_enough(target, source, sampling)
        finally:
            source.close()


def _until_enough(
    target: Target, source: KernelSource, sampling: SurvivorSampling
) -> tuple[list[Survivors], dict[int, Stack], float]:
    stacks: dict[int, Stack] = {}
    now_s = begin_s = time.monotonic()
    before = int(target.ask("?"))
    found: list[Survivors] = []
    kept = 0
    while sum(one.caught for one in found) < WANTED:
        assert time.monotonic() < begin_s + PATIENCE_S, f"only {found} after {sampling.births} births"
        sampling.step(time.monotonic_ns())
        batch = source.poll()
        assert batch is not None
        stacks |= batch.stacks
        found, kept, now_s = sampling.result(time.monotonic_ns()), int(target.ask("?")), time.monotonic()
        time.sleep(0.02)
    return found, stacks, (kept - before) / (now_s - begin_s)


def test_the_line_whose_objects_stay_is_first(interpreter: Interpreter, targets: Path) -> None:
    program = targets / "surviving.py"
    lines = program.read_text().splitlines()
    known = 1 + next(index for index, line in enumerate(lines) if "known line: surviving" in line)
    with interpreter.spawn(program) as target:
        found, stacks, truth_per_s = sampled(target)
    nodes = [one for one in found if one.type.endswith("Node")]
    frame = own_frame(stacks[nodes[0].stack_id].frames)
    assert frame is not None
    assert (frame.function.rpartition(".")[2], frame.line) == ("surviving", known)
    assert nodes[0].caught >= 0.9 * sum(one.caught for one in nodes)
    # Its rate is that of a window that begins and ends a little before that of the truth.
    assert nodes[0].per_s.low <= truth_per_s * 1.25
    assert nodes[0].per_s.high >= truth_per_s * 0.75


@pytest.mark.few_interpreters
def test_what_a_run_is_told_of_a_chain(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of objects that no collection holds: another line makes most and touches the pages, this one keeps."""
    monkeypatch.setattr(births, "TELL_NS", 500_000_000)
    program = targets / "chained.py"
    lines = program.read_text().splitlines()
    known = 1 + next(index for index, line in enumerate(lines) if "known line: chaining" in line)
    with interpreter.spawn(program) as target, opened(target.pid) as held:
        assert held.python is not None
        kernel = KernelSource(held.process, held.python, OPTIONS)
        kernel.start()
        try:
            filled = _told(kernel, held, target.pid)
        finally:
            kernel.close()
    first = own_frame(filled.flows[0].site)
    assert first is not None
    assert (first.function.rpartition(".")[2], first.line) == ("chaining", known)
    assert filled.flows[0].net_per_s >= 0.7 * (filled.added_per_s - filled.removed_per_s)


def _told(kernel: KernelSource, held: Opened, pid: int) -> Filled:
    """Ask for the births until some have survived."""
    assert kernel.births is not None
    assert held.python is not None
    sampling = SurvivorSampling(kernel.births, held.process, held.python, budget_pct=5.0, horizon_s=HORIZON_S)
    source, ledger = births.BirthSource(sampling), Ledger(tree=False)
    deadline_s = time.monotonic() + PATIENCE_S
    while ledger.insertions.seen((pid, 3))[0] < WANTED:
        assert time.monotonic() < deadline_s, f"too few after {sampling.births} births"
        source.wish({(pid, 3): "__main__.Link"})
        for batch in (kernel.poll(), source.poll()):
            assert batch is not None
            fold(ledger, batch, pid)
        time.sleep(0.02)
    filled = ledger.filled((pid, 3))
    assert filled is not None
    return filled
