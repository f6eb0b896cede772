"""Where a build of CPython changes its containers: places for the uprobes of a burst.

No symbol is needed. The methods and slots of a type are pointers in the target. What the evaluation loop
calls without them, exported functions call, too: PyDict_SetItem and its kin. Who appends to a list that is
full is known by its code, where nothing exported calls it. The probe stands where the container is still in
its register, on an instruction that the kernel emulates.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice

import numpy as np

from memprobe.abi import MutatorHow
from memprobe.sources.kernel.machine_code import first_emulated, first_loads, instructions
from memprobe.sources.kernel.mutator_kinds import Changing, changing
from memprobe.target.binary.binaries import LoadedFile, OpenBinary, open_binary
from memprobe.target.binary.elf import SYMBOL, BadElf, Symbol
from memprobe.target.binary.functions import read_functions
from memprobe.target.binary.sections import read_sections, section_content
from memprobe.target.binary.symbols import file_offset
from memprobe.target.cpython.python import Python
from memprobe.target.killable import ReaderDied, call
from memprobe.target.proc.process import Process

Place = tuple[int, int, int]
"""Which of the files, the offset in it, and the cookie."""

MOST_CALLED = 16
"""Functions that one calls."""

MOST_APPENDING = 8

SIZE, ALLOCATED = 16, 32
"""Fields of a list."""

LOADS_ALLOCATED = re.compile(rb"[\x48\x4c]\x8b[\x47\x4f\x57\x5f\x67\x6f\x77\x7f]" + bytes([ALLOCATED]))
"""mov 32(%rdi),r"""

SOON = 48
"""Bytes of a function in which it does that."""


def find_mutators(
    process: Process, python: Python, files: Sequence[LoadedFile], type_address: int
) -> list[Place]:
    """Find where containers of a type are changed; BadElf says what is missing.

    A child process looks: what it has to import and read would keep 12 MB for the whole run.
    """
    if os.uname().machine != "x86_64":
        raise BadElf("uprobes need x86-64")
    try:
        found = call(lambda: _find(process, python, files, type_address))
    except ReaderDied as error:
        raise BadElf(str(error)) from error
    if not found:
        raise BadElf("the functions that change such containers were not found")
    return [(file, offset, cookie) for file, offset, cookie in found]


def _find(process: Process, python: Python, files: Sequence[LoadedFile], type_address: int) -> list[Place]:
    what = changing(python.objects, type_address)
    if what is None:
        return []
    with ExitStack() as held:
        books = _Books(process, python, files, held)
        runtime = books.of_runtime()
        inner = [] if runtime is None else list(_inner(books, runtime, what))
        if runtime is None or (what.kind.calling and not inner):
            return []  # most changes would be taken for those of others
        found = [*inner, *_exported(runtime, what), *_pointed_to(books, what)]
    return list({(file, offset): (file, offset, cookie) for file, offset, cookie in found}.values())


def _inner(books: _Books, runtime: _Book, what: Changing) -> Iterator[Place]:
    """Where what others call is done: the container is the first argument, or the second.

    Several of them may be called for one append; the program counts the first.
    """
    how = MutatorHow.FULL_LIST if what.kind.is_seen_full else MutatorHow.CHANGES
    cookie = what.kind.size_offset << 24 | how
    callers = [one for name in what.kind.calling if (one := runtime.exported(name)) is not None]
    functions = [called for one in callers for called in runtime.called_inside(one)]
    if what.kind.is_seen_full:
        methods = (books.beginning_at(address) for address in what.appending)
        own = [one for book, one in methods if book is runtime and one is not None]
        functions += [called for one in own for called in runtime.called_inside(one)]
        functions += [*callers, *own, *runtime.appending_to_full()]
    for function in functions:
        yield from runtime.place(function, cookie, ("RDI", "RSI"))


def _exported(runtime: _Book, what: Changing) -> Iterator[Place]:
    """In exported functions: their container is the first argument."""
    for name in what.kind.exported:
        symbol = runtime.exported(name)
        if symbol is not None:
            yield from runtime.place(symbol, _cookie(what), ("RDI",))


def _pointed_to(books: _Books, what: Changing) -> Iterator[Place]:
    """In methods and slots: their container is the first argument."""
    for address in what.functions:
        book, function = books.beginning_at(address)
        if book is not None and function is not None:
            yield from book.place(function, _cookie(what), ("RDI",))


def _cookie(what: Changing) -> int:
    return what.kind.size_offset << 24 | MutatorHow.CHANGES


class _Books:
    """The files that functions come from, each opened once."""

    def __init__(
        self, process: Process, python: Python, files: Sequence[LoadedFile], held: ExitStack
    ) -> None:
        self._process, self._python, self._files, self._held = process, python, files, held
        self._books: dict[int, _Book | None] = {}

    def of_runtime(self) -> _Book | None:
        path = self._python.runtime.path
        return next((self._book(number) for number, one in enumerate(self._files) if one.path == path), None)

    def beginning_at(self, address: int) -> tuple[_Book | None, Symbol | None]:
        """The function that begins at an address of the target, and the file that has it."""
        for number, one in enumerate(self._files):
            if any(mapping.start <= address < mapping.end for mapping in one.mappings):
                book = self._book(number)
                return book, None if book is None else book.beginning_at(address)
        return None, None

    def _book(self, number: int) -> _Book | None:
        if number not in self._books:
            self._books[number] = self._opened(number)
        return self._books[number]

    def _opened(self, number: int) -> _Book | None:
        memory = self._python.objects.memory
        try:
            opened = self._held.enter_context(open_binary(self._process, self._files[number], memory))
            return None if opened.descriptor is None else _Book(opened, opened.descriptor, number)
        except (BadElf, OSError):
            return None


class _Book:
    """One file."""

    def __init__(self, opened: OpenBinary, descriptor: int, number: int) -> None:
        self._elf, self._descriptor, self._number = opened.elf, descriptor, number
        self._bias = opened.biases[0] if opened.biases else 0
        self._sections = read_sections(descriptor)
        self._functions = read_functions(descriptor, self._sections)
        table = self._sections.get(".dynsym")
        content = b"" if table is None else section_content(descriptor, table)
        words = np.frombuffer(content[: len(content) // SYMBOL.size * SYMBOL.size], "<u8")
        self._exported = frozenset(words[1 :: SYMBOL.size // 8].tolist())

    def exported(self, name: str) -> Symbol | None:
        """A function, as the table of exceptions has it: its symbol may not say how long it is."""
        symbol = self._elf.symbol(name)
        return None if symbol is None else self._functions.beginning_at(symbol.address)

    def beginning_at(self, address: int) -> Symbol | None:
        """The function that begins at an address of the target."""
        return self._functions.beginning_at(address - self._bias)

    def called_inside(self, caller: Symbol) -> list[Symbol]:
        """What a function calls, or jumps to, that is not exported."""
        targets = (one.target for one in instructions(self._code(caller), caller.address))
        found = (self._functions.beginning_at(target) for target in targets if target is not None)
        inner = {one.address: one for one in found if one is not None and self._is_inner(one, caller)}
        return list(inner.values())[:MOST_CALLED]

    def appending_to_full(self) -> list[Symbol]:
        """Functions that first of all look at size and room of their argument, and at nothing else of it."""
        text = self._sections.get(".text")
        code = b"" if text is None else section_content(self._descriptor, text)
        begin = 0 if text is None else text.address
        found: dict[int, Symbol] = {}
        for match in LOADS_ALLOCATED.finditer(code):
            one = self._functions.around(begin + match.start())
            if one is not None and begin + match.start() - one.address < SOON:
                found[one.address] = one
        looking = (one for one in found.values() if self._looks_at_room(one))
        return list(islice(looking, MOST_APPENDING))

    def _looks_at_room(self, function: Symbol) -> bool:
        return first_loads(self._code(function), function.address, "RDI") == {SIZE, ALLOCATED}

    def _is_inner(self, function: Symbol, caller: Symbol) -> bool:
        return function.address not in self._exported and function.address != caller.address

    def place(self, function: Symbol, cookie: int, arguments: Sequence[str]) -> Iterator[Place]:
        """The first cheap instruction, if the arguments are still in their registers there."""
        code = self._code(function)
        found = [first_emulated(code, function.address, keep) for keep in arguments]
        if found[0] is not None and all(one == found[0] for one in found):
            yield self._number, file_offset(self._elf, found[0].address), cookie

    def _code(self, function: Symbol) -> bytes:
        return self._elf.read_virtual(function.address, function.size)
