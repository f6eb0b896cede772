"""Native code that leaks: the line of Python that calls it, and its own function."""

from __future__ import annotations

from pathlib import Path

import pytest

from blame.watching_containers import watching_containers
from heap_looks.holding_in import hoard_folder
from memprobe.sources.kernel.machine_code import follows_call
from memprobe.vocab import Frame
from memprobe.vocab.stack import own_frame
from pythons import Interpreter

FILL = Frame("fill", "<hoard.so>", 0)


@pytest.mark.few_interpreters
@pytest.mark.usefixtures("bpf")
def test_a_list_that_is_filled_from_c(interpreter: Interpreter, targets: Path) -> None:
    program = targets / "filling_from_c.py"
    lines = program.read_text().splitlines()
    known = 1 + next(index for index, line in enumerate(lines) if "known line: filling" in line)
    holder = "__main__.KEPT"
    with (
        interpreter.spawn(program, str(interpreter.path_inside(hoard_folder()))) as target,
        watching_containers(target.pid, holder, budget_pct=100.0) as found,
    ):
        found.watch(until=lambda: int(found.watches(holder)["hits"].sum()) > 60)
        found.settle()
        first, *others = found.filled(holder).flows
    frame = own_frame(first.site)
    assert frame is not None
    assert (first.site[0], frame.line) == (FILL, known)
    assert others, "what passes through"
    assert all(FILL not in one.site for one in others)


@pytest.mark.parametrize(
    ("code", "follows"),
    [
        ("00 00 e8 01 02 03 04", True),  # call rel32
        ("00 00 00 00 00 ff d0", True),  # call *%rax
        ("00 00 00 00 41 ff d4", True),  # call *%r12
        ("00 00 00 00 ff 53 10", True),  # call *16(%rbx)
        ("00 ff 15 01 02 03 04", True),  # call *place(%rip)
        ("00 00 00 00 00 ff e0", False),  # jmp *%rax
        ("00 00 e9 01 02 03 04", False),  # jmp rel32
        ("90 90 90 90 90 90 90", False),
        ("", False),
        ("ff", False),
    ],
)
def test_what_follows_a_call(code: str, follows: bool) -> None:
    assert follows_call(bytes.fromhex(code)) == follows
