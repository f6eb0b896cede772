"""Who keeps references: the line that calls native code which never gives back what it takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heap_looks.holding_in import hoard_folder
from memprobe.heap.unexplained import seek_unexplained
from memprobe.ledger.cancelling import left_over
from memprobe.session.referring import Referring, referring
from memprobe.target import killable
from memprobe.vocab import Frame
from patience import PATIENCE_S
from pythons import Interpreter

MAIN, OTHER, LOOK, KEEP = (Frame(name, "a.py", line) for line, name in enumerate("mmlk"))


def test_what_a_call_leaves_to_its_caller_is_given_back() -> None:
    stacks = [((LOOK, MAIN), (70.0, 0.0)), ((MAIN,), (0.0, 70.0)), ((KEEP, OTHER), (20.0, 10.0))]
    assert left_over(stacks, by_line=True) == [0, 0, 10]


def test_what_another_line_of_the_function_gives_back_is_not_put_against_it() -> None:
    other = Frame(KEEP.function, KEEP.file, KEEP.line + 9)
    stacks = [((KEEP,), (20.0, 0.0)), ((other,), (0.0, 20.0))]
    assert (left_over(stacks, by_line=True), left_over(stacks)) == ([20, 0], [0, 0])


def test_nothing_is_made_up() -> None:
    assert left_over([((LOOK,), (0.0, 5.0)), ((KEEP,), (0.0, 0.0))], by_line=True) == [0, 0]


def keeps_most(run: Referring) -> str:
    """The function that calls who has kept most by now: the target may have had the CPU for long, or not."""
    takers = [one for held in run.report().objects for one in held.takers if one.kept > 0]
    return takers[0].site[1].function.rpartition(".")[2] if takers and len(takers[0].site) > 1 else ""


@pytest.mark.few_interpreters
@pytest.mark.usefixtures("bpf")
def test_the_line_that_calls_what_keeps_is_first(interpreter: Interpreter, targets: Path) -> None:
    program = targets / "referring.py"
    lines = program.read_text().splitlines()
    known = 1 + next(index for index, line in enumerate(lines) if "known line: keeping" in line)
    with interpreter.spawn(program, str(interpreter.path_inside(hoard_folder()))) as target:
        found = killable.call_telling(
            lambda tell: seek_unexplained(target.pid, "Shared", tell), lambda *_: None
        )
        ((name, _, unexplained, _),) = found["found"]
        assert (name, unexplained >= 100) == ("__main__.Shared", True)
        with referring(target.pid, found, max_overhead_pct=20, seed=1) as run:
            begin_s = time.monotonic()
            run.run(lambda: time.monotonic() < begin_s + (3 if keeps_most(run) == "keeping" else PATIENCE_S))
            (held,) = run.report().objects
    first = held.takers[0]
    native, caller = first.site[:2]
    assert native == Frame("forget", "<hoard.so>", 0)
    assert (caller.line, caller.function.rpartition(".")[2]) == (known, "keeping")
    assert first.kept >= 0.4 * first.taken
    assert sum(one.kept for one in held.takers[1:]) < first.kept
