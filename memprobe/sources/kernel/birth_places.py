"""Where a build of CPython hands out blocks: places for the uprobes of a burst.

The target's own pointers say which functions these are, so no symbol is needed. The probe stands where the
size is still in its register, on an instruction that the kernel emulates: else a hit would cost ten times as
much.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from memprobe.abi import BlockHow, CookieRegister
from memprobe.sources.kernel.machine_code import first_emulated, guards
from memprobe.sources.kernel.stripped import AllocatorFunctions
from memprobe.target.binary.elf import BadElf, Binary, Symbol, file_reader
from memprobe.target.binary.functions import read_functions
from memprobe.target.binary.sections import read_sections
from memprobe.target.binary.symbols import file_offset
from memprobe.target.cpython.python import Python
from memprobe.target.killable import ReaderDied, call

MAKERS = (
    "PyType_GenericAlloc",
    "_PyObject_GC_New",
    "_PyObject_GC_NewVar",
    "PyObject_Malloc",
    "PyMem_Malloc",
)
"""Exported functions that may have a copy of the allocator in them, what makes instances first."""

MAKER_BYTES = 4096
MOST_PLACES = 12
"""Each takes 16 ms to attach."""

LARGEST_SMALL = 512


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
    return [*(place for place in made if place is not None), *_copies(elf)][:MOST_PLACES]


def _copies(elf: Binary) -> Iterator[BirthPlace]:
    """Copies of _PyObject_Malloc that the compiler has put into the functions by which objects are made."""
    for name in MAKERS:
        symbol = elf.symbol(name)
        code = elf.read_virtual(symbol.address, min(symbol.size, MAKER_BYTES)) if symbol is not None else b""
        for branch, register in guards(code, symbol.address if symbol else 0, LARGEST_SMALL):
            cookie = CookieRegister[register.removeprefix("R")] << 8 | 1 << 24
            yield BirthPlace(name, file_offset(elf, branch.address), cookie)


def _place(elf: Binary, function: Symbol | None, name: str, cookie: int) -> BirthPlace | None:
    if function is None:
        return None
    code = elf.read_virtual(function.address, function.size)
    arguments = ("RSI", "RDX") if cookie & BlockHow.CALLOC else ("RSI",)
    found = [first_emulated(code, function.address, keep) for keep in arguments]
    if found[0] is None or any(one != found[0] for one in found):
        return None
    return BirthPlace(name, file_offset(elf, found[0].address), cookie)
