"""Where a build of CPython hands out blocks: places for the uprobes of a burst.

The target's own pointers say which functions these are, so no symbol is needed. The probe stands where the
size is still in its register, on an instruction that the kernel emulates: else a hit would cost ten times as
much.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import islice

from memprobe.abi import BlockHow, CookieRegister
from memprobe.sources.kernel.machine_code import first_emulated, guards, instructions, is_shift
from memprobe.sources.kernel.stripped import AllocatorFunctions
from memprobe.target.binary.elf import BadElf, Binary, Symbol, file_reader
from memprobe.target.binary.functions import Functions, read_functions
from memprobe.target.binary.sections import read_sections, section_content
from memprobe.target.binary.symbols import file_offset
from memprobe.target.cpython.python import Python
from memprobe.target.killable import ReaderDied, call

MOST_COPIES = 512
"""Debian's builds have 94 to 109."""

MOST_FIRST = ("PyType_GenericAlloc", "_PyObject_GC_New", "PyObject_Malloc", "PyMem_Malloc")
"""Whose copies make most objects, where there is no room for all."""

LARGEST_SMALL = 512
CLASS_SHIFT, CLASS_SOON = 4, 12
"""By how many bits a size is shifted to give its class, and within how many instructions."""

GUARD = re.compile(rb"(?:\x48\x3d|[\x48\x49]\x81[\xf8-\xff])\xff\x01\x00\x00(?:\x77|\x0f\x87)")
"""cmp $511,r; ja: what every copy has that is for blocks of any size."""


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
    originals = {function.address for function in (malloc, calloc) if function is not None}
    copies = _copies(elf, descriptor, functions, originals)
    return [*(place for place in made if place is not None), *copies]


def _copies(elf: Binary, descriptor: int, functions: Functions, originals: set[int]) -> list[BirthPlace]:
    """Copies of _PyObject_Malloc that the compiler has put into other functions."""
    known = [symbol.address for name in MOST_FIRST if (symbol := elf.symbol(name)) is not None]
    found = list(dict.fromkeys([*known, *_functions_with_guards(elf, descriptor, functions)]))
    own = (functions.beginning_at(address) for address in found[:MOST_COPIES] if address not in originals)
    return [place for function in own if function is not None for place in _in_function(elf, function)]


def _functions_with_guards(elf: Binary, descriptor: int, functions: Functions) -> Iterator[int]:
    """Where functions begin that may have a copy: by its bytes, in code that is not decoded yet."""
    text = read_sections(descriptor).get(".text")
    code = b"" if text is None else section_content(descriptor, text)
    for match in GUARD.finditer(code):
        function = functions.around(match.start() + (text.address if text else 0))
        if function is not None:
            yield function.address


def _in_function(elf: Binary, function: Symbol) -> Iterator[BirthPlace]:
    code = elf.read_virtual(function.address, function.size)
    for branch, register in guards(code, function.address, LARGEST_SMALL):
        if _takes_class(code[branch.end - function.address :], branch.end):
            cookie = cookie_register(register) << 8 | 1 << 24
            yield BirthPlace("copy", file_offset(elf, branch.address), cookie)


def cookie_register(name: str) -> CookieRegister:
    """Return a register by the name that the processor's manual has for it: RAX, R12."""
    old = name.removeprefix("R")
    return CookieRegister[name if old.isdigit() else old]


def _takes_class(code: bytes, address: int) -> bool:
    """Whether a size class is made of the size next, as the allocator does: a shift by four."""
    return any(is_shift(one.code, CLASS_SHIFT) for one in islice(instructions(code, address), CLASS_SOON))


def _place(elf: Binary, function: Symbol | None, name: str, cookie: int) -> BirthPlace | None:
    if function is None:
        return None
    code = elf.read_virtual(function.address, function.size)
    arguments = ("RSI", "RDX") if cookie & BlockHow.CALLOC else ("RSI",)
    found = [first_emulated(code, function.address, keep) for keep in arguments]
    if found[0] is None or any(one != found[0] for one in found):
        return None
    return BirthPlace(name, file_offset(elf, found[0].address), cookie)
