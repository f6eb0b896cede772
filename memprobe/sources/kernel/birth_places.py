"""Where a build of CPython hands out blocks: places for the uprobes of a burst.

The target's own pointers say which functions these are, so no symbol is needed. The probe stands where the
size is still in its register and the stack pointer where it was on entry, so that whoever called can be told;
and on an instruction that the kernel emulates, or a hit would cost ten times as much.
"""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass

from memprobe.abi import BlockHow, CookieRegister
from memprobe.sources.kernel.machine_code import Instruction, first_emulated
from memprobe.sources.kernel.stripped import AllocatorFunctions
from memprobe.target.binary.elf import BadElf, Binary, Symbol, file_reader
from memprobe.target.binary.functions import read_functions
from memprobe.target.binary.sections import read_sections
from memprobe.target.binary.symbols import file_offset
from memprobe.target.cpython.python import Python
from memprobe.target.killable import ReaderDied, call


@dataclass(frozen=True, slots=True)
class BirthPlace:
    """One place for an uprobe."""

    name: str

    offset: int
    """In the file."""

    cookie: int


def find_birth_places(descriptor: int, python: Python) -> list[BirthPlace]:
    """Find the places in an open binary; BadElf says what is missing.

    A child process looks: what it has to import and read would keep 12 MB for the whole run.
    """
    if os.uname().machine != "x86_64":
        raise BadElf("uprobes need x86-64")
    try:
        found = call(lambda: {"places": [astuple(place) for place in _find(descriptor, python)]})
    except ReaderDied as error:
        raise BadElf(str(error)) from error
    places = [BirthPlace(*place) for place in found["places"]]
    if not places:
        raise BadElf(
            "the functions of its allocator were not found, or no instruction of them is cheap to probe"
        )
    return places


def _find(descriptor: int, python: Python) -> list[BirthPlace]:
    elf = Binary(file_reader(descriptor))
    functions = read_functions(descriptor, read_sections(descriptor))
    malloc, calloc = AllocatorFunctions(elf, functions, python).object_functions()
    size = CookieRegister.SI << 8
    made = (_place(elf, malloc, "malloc", size), _place(elf, calloc, "calloc", size | BlockHow.CALLOC))
    return [place for place in made if place is not None]


def _place(elf: Binary, function: Symbol | None, name: str, cookie: int) -> BirthPlace | None:
    if function is None:
        return None
    at = _entry(elf.read_virtual(function.address, function.size), function.address)
    return None if at is None else BirthPlace(name, file_offset(elf, at.address), cookie)


def _entry(code: bytes, address: int) -> Instruction | None:
    """The first cheap instruction, with its arguments and its stack pointer still as on entry."""
    found = [first_emulated(code, address, keep) for keep in ("RSI", "RDX", "RSP")]
    return found[0] if all(one == found[0] for one in found) else None
