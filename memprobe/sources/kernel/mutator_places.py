"""Where a build of CPython changes its containers: places for the uprobes of a burst.

No symbol is needed. The methods and slots of a type are pointers in the target; and what the evaluation loop
calls without them, exported functions call, too: PyDict_SetItem and its kin. The probe stands where the
container is still in a register, on an instruction that the kernel emulates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from memprobe.abi import CookieRegister, MutatorHow
from memprobe.sources.kernel.birth_places import cookie_register
from memprobe.sources.kernel.machine_code import (
    Instruction,
    first_emulated,
    first_emulated_with,
    instructions,
)
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

MOST_PLACES = 128
"""Of one type; CPython 3.11 has up to 15. A table of methods that a target has made up leads to thousands."""


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
        inner = [] if runtime is None else list(_inner(runtime, what))
        if runtime is None or (what.kind.calling and not inner):
            return []  # most changes would be taken for those of others
        pointed_to = _resizing if what.kind.is_resized_by_methods else _pointed_to
        found = [*inner, *_exported(runtime, what), *pointed_to(books, what)]
    places = {(file, offset): (file, offset, cookie) for file, offset, cookie in found}
    return list(places.values())[:MOST_PLACES]


def _inner(runtime: _Book, what: Changing) -> Iterator[Place]:
    """In the functions that others call: their container is the first argument, or the second."""
    for name in what.kind.calling:
        caller = runtime.exported(name)
        for function in [] if caller is None else runtime.called_inside(caller):
            yield from runtime.place_of_two(function, _cookie(what))


def _exported(runtime: _Book, what: Changing) -> Iterator[Place]:
    """In exported functions: the container, or the room of a list, is the first argument."""
    place = runtime.place_of_two if what.kind.how is MutatorHow.REALLOCATES else runtime.place
    for name in what.kind.exported:
        symbol = runtime.exported(name)
        if symbol is not None:
            yield from place(symbol, _cookie(what))


def _pointed_to(books: _Books, what: Changing) -> Iterator[Place]:
    """In methods and slots: their container is the first argument."""
    for address in what.functions:
        book, function = books.beginning_at(address)
        if book is not None and function is not None:
            yield from book.place(function, _cookie(what))


def _resizing(books: _Books, what: Changing) -> Iterator[Place]:
    """In what methods call: one of that is list_resize, the others are told from it at every hit."""
    cookie = what.kind.size_offset << 24 | MutatorHow.RESIZES
    for address in what.functions:
        book, method = books.beginning_at(address)
        if book is not None and method is not None:
            for function in book.called_inside(method):
                yield from book.place_of_two(function, cookie)


def _cookie(what: Changing) -> int:
    return what.kind.size_offset << 24 | what.kind.how


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
        self._elf, self._number = opened.elf, number
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

    def _is_inner(self, function: Symbol, caller: Symbol) -> bool:
        return function.address not in self._exported and function.address != caller.address

    def place(self, function: Symbol, cookie: int) -> Iterator[Place]:
        """The first cheap instruction, if the first argument is still in a register there."""
        found = first_emulated_with(self._code(function), function.address, "RDI")
        if found is not None:
            yield self._place(found[0], cookie | cookie_register(found[1]) << 8)

    def place_of_two(self, function: Symbol, cookie: int) -> Iterator[Place]:
        """The same, if the first two arguments are where they were."""
        code = self._code(function)
        one, other = (first_emulated(code, function.address, keep) for keep in ("RDI", "RSI"))
        if one is not None and one == other:
            yield self._place(one, cookie | CookieRegister.DI << 8)

    def _place(self, instruction: Instruction, cookie: int) -> Place:
        return self._number, file_offset(self._elf, instruction.address), cookie

    def _code(self, function: Symbol) -> bytes:
        return self._elf.read_virtual(function.address, function.size)
