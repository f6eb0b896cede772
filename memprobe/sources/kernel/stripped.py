"""The growth edges of a build without its symbols, by way of its allocators' function pointers.

    PyObject_Malloc              exported; loads _PyObject.malloc from a place that its code names
    -> _PyObject_Malloc          what that place holds in the target
    -> allocate_from_new_pool    the function it calls that leads to the arena allocator, itself or one call
                                 on, and uses a table that _PyObject_Malloc uses too: its pools
    PyObject_GetArenaAllocator   exported; its code names the place of _PyObject_Arena
    -> _PyObject_ArenaMmap       what that place holds in the target

Each step is checked: where it leads a function must begin, as the table of exceptions has them. A target with
another allocator (PYTHONMALLOC) fails these checks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from memprobe.errors import ReadFault
from memprobe.sources.kernel.machine_code import called, referred_to
from memprobe.target.binary.elf import Binary, Symbol
from memprobe.target.binary.functions import Functions
from memprobe.target.cpython.python import Python

ENTRY_BYTES = 128
"""Bytes of an exported function that are looked at for the place that it loads."""

WORD = 8

ALLOCATOR_WORDS = 5
"""PyMemAllocatorEx: its context, then malloc, calloc, realloc, free."""

RUNTIME_BYTES = 16 << 10
"""Bytes of the runtime in which the allocators are looked for (3.12+): they are in its first 2 KiB."""


class AllocatorFunctions:
    """Finds the functions by which the heap grows."""

    def __init__(self, elf: Binary, functions: Functions, python: Python) -> None:
        self._elf = elf
        self._functions = functions
        self._bias = python.runtime.bias
        self._runtime = python.runtime.address
        self._memory = python.objects.memory

    def new_pool(self) -> Symbol | None:
        """allocate_from_new_pool; None where the compiler has put it into its callers, or it is not sure.

        It must not be taken for a function that every allocation calls. In that one the pools are looked at,
        and _PyObject_Malloc does not look at them itself (as in 3.8).
        """
        malloc = self._allocator()
        arena = self._arena_place()
        if malloc is None or arena is None:
            return None
        places = set(self._used_by(malloc))
        leading = [one for one in self._callees(malloc) if self._leads_to(one, arena)]
        sure = [one for one in leading if places & set(self._used_by(one))]
        return sure[0] if len(leading) == len(sure) == 1 else None

    def arena(self) -> Symbol | None:
        """_PyObject_ArenaMmap: the second word of _PyObject_Arena."""
        place = self._arena_place()
        return None if place is None else self._pointed_to(place + WORD)

    def object_functions(self) -> tuple[Symbol | None, Symbol | None]:
        """_PyObject_Malloc and _PyObject_Calloc, or what stands for them in the target."""
        found = self._allocator(), self._exported("PyObject_Calloc")
        return found if None not in found else self._in_runtime()

    def _in_runtime(self) -> tuple[Symbol | None, Symbol | None]:
        """The same where the code goes through the runtime (3.12+).

        Three allocators stand there in a row, for raw memory, for memory and for objects; the last two are
        the same functions, and none has a context.
        """
        try:
            block = self._memory.read(self._runtime, RUNTIME_BYTES)
        except ReadFault:
            return None, None
        words = struct.unpack(f"<{len(block) // WORD}Q", block)
        for start in range(len(words) - 3 * ALLOCATOR_WORDS):
            raw, memory, objects = (
                words[start + number * ALLOCATOR_WORDS :][:ALLOCATOR_WORDS] for number in range(3)
            )
            if memory == objects != raw and not raw[0] and not objects[0]:
                found = [self._functions.beginning_at(word - self._bias) for word in (*raw[1:], *objects[1:])]
                if None not in found:
                    return found[4], found[5]
        return None, None

    def _exported(self, name: str) -> Symbol | None:
        """The first pointer to a function among what an exported one loads."""
        found = (self._pointed_to(place) for place in self._places(name))
        return next((function for function in found if function is not None), None)

    def _allocator(self) -> Symbol | None:
        """_PyObject_Malloc: where PyObject_Malloc leads."""
        return self._exported("PyObject_Malloc")

    def _arena_place(self) -> int | None:
        """_PyObject_Arena: the first of the words that PyObject_GetArenaAllocator copies."""
        places = sorted(self._places("PyObject_GetArenaAllocator"))
        return next((place for place in places if self._pointed_to(place + WORD) is not None), None)

    def _places(self, exported: str) -> list[int]:
        symbol = self._elf.symbol(exported)
        if symbol is None:
            return []
        size = min(symbol.size or ENTRY_BYTES, ENTRY_BYTES)
        return referred_to(self._elf.read_virtual(symbol.address, size), symbol.address)

    def _pointed_to(self, place: int) -> Symbol | None:
        """The function to which a pointer leads in the target; None if it is none of this build."""
        try:
            word = self._memory.read(place + self._bias, WORD)
        except ReadFault:
            return None
        return self._functions.beginning_at(int.from_bytes(word, "little") - self._bias)

    def _callees(self, function: Symbol) -> Iterator[Symbol]:
        for address in called(self._code(function), function.address):
            callee = self._functions.beginning_at(address)
            if callee is not None:
                yield callee

    def _leads_to(self, function: Symbol, place: int) -> bool:
        """Whether a function, or one that it calls, uses what lies at a place."""
        words = {place, place + WORD}
        return any(words & set(self._used_by(one)) for one in (function, *self._callees(function)))

    def _used_by(self, function: Symbol) -> list[int]:
        return referred_to(self._code(function), function.address)

    def _code(self, function: Symbol) -> bytes:
        return self._elf.read_virtual(function.address, function.size)
