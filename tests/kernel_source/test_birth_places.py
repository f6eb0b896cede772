"""Places for the uprobes of a burst, and what the hit of a watchpoint costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel_source.following import following
from memprobe.abi import CookieRegister
from memprobe.governor import Calibrator
from memprobe.sources.kernel.birth_places import LARGEST_SMALL, cookie_register, find_birth_places
from memprobe.sources.kernel.edges import opened_binary
from memprobe.sources.kernel.machine_code import instructions, is_shift
from memprobe.target.binary.elf import file_reader
from memprobe.target.cpython.python import attach_python
from pythons import Interpreter, own
from target.attaching import threads_of
from target.looking import looked_at

FEWEST_OF_STRIPPED = 40
"""Copies of the allocator in a build whose compiler makes them."""

REGISTERS = [bytes((prefix, 0x81, 0xF8 | number)) for prefix in (0x48, 0x49) for number in range(8)]
COMPARES = (b"\x48\x3d", *REGISTERS)
"""cmp with a number of four bytes."""


def test_every_register_that_can_have_a_size_is_known() -> None:
    names = [f"R{number}" for number in range(8, 16)]
    assert [cookie_register(name).name for name in names] == names
    assert cookie_register("RAX") is CookieRegister.AX


def test_each_is_the_branch_behind_a_comparison(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, looked_at(target.pid) as look:
        python = attach_python(look.memory, look.runtimes()[0], look.mappings, threads_of(look.process))
        with opened_binary(look.process, python, look.mappings) as descriptor:
            places = find_birth_places(descriptor, python)
            read = file_reader(descriptor)
            copies = [place.offset for place in places if place.name == "copy"]
            number = (LARGEST_SMALL - 1).to_bytes(4, "little")
            for offset in copies:
                assert read(offset - 4, 4) == number
                assert any(read(offset - 4 - len(one), len(one)) == one for one in COMPARES)
                assert next(instructions(read(offset, 6), 0)).is_emulated
    assert len({place.offset for place in places}) == len(places)
    if interpreter.root is not None:
        assert len(copies) >= FEWEST_OF_STRIPPED


@pytest.mark.parametrize(
    ("code", "is_one"),
    [
        ("c1 ee 04", True),
        ("48 c1 e8 04", True),
        ("41 c1 ec 04", True),
        ("c1 ee 05", False),
        ("c1 e6 04", False),
        ("04", False),
    ],
)
def test_shifts_by_four(code: str, is_one: bool) -> None:
    assert is_shift(bytes.fromhex(code), 4) == is_one


@pytest.mark.usefixtures("bpf")
def test_what_the_hit_of_a_watchpoint_costs_is_measured(targets: Path) -> None:
    with own().spawn(targets / "family.py") as target, following(target.pid) as found:
        word, calibrator = found.source.own_word, Calibrator()
        cost_ns = calibrator.watch_hit_ns(word.write, word.watched(), 1_000.0)
        assert found.source.costs().armed_watchpoints == 0
        assert all(one.name != "word_changed" or not one.runs for one in found.source.costs().programs)
    assert "watchpoint" in calibrator.calibration.measured
    assert 1_100 <= cost_ns <= 51_000
