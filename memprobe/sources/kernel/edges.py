"""Where in a build of CPython the heap grows and the collector runs: places for uprobes.

    pool     entry of allocate_from_new_pool (3.9+): a size class needs another pool
    arena    entry of the arena allocator: 256 KiB (to 3.9) or 1 MiB
    large    the call in _PyObject_Malloc that passes a block of more than 512 bytes on to malloc
    collect  gc__start and gc__done where the build has them, else entry of the collector and the first
             cheap instruction behind each call of it

Where a build has kept no symbols (Debian's), the first two are found by way of the allocators' function
pointers (stripped.py), and the third is not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field

from memprobe.abi import CookieRegister, GrowthHow
from memprobe.errors import ReadFault
from memprobe.sources.kernel.cookies import WIDTH_4, argument_cookie
from memprobe.sources.kernel.machine_code import Instruction, first_emulated, instructions, jump_slot
from memprobe.sources.kernel.stripped import AllocatorFunctions
from memprobe.target.binary.binaries import loaded_files, open_file
from memprobe.target.binary.elf import BadElf, Binary, Symbol, file_reader
from memprobe.target.binary.functions import read_functions
from memprobe.target.binary.sections import read_sections, section_content
from memprobe.target.binary.symbols import (
    ProbeNote,
    file_offset,
    functions_around,
    local_functions,
    probe_notes,
)
from memprobe.target.cpython.python import Python
from memprobe.target.killable import ReaderDied, call
from memprobe.target.proc.mappings import Mapping
from memprobe.target.proc.process import Process

_OTHER_MACHINE = "Growth of small objects and the collector are seen from outside: uprobes need x86-64."

CALL, JUMP = 0xE8, 0xE9
CALLS_LIMIT = 16
"""Calls of the collector in a build: 3 to 6."""

TEXT_LIMIT = 64 << 20

_ARENAS = ("_PyObject_ArenaMmap", "_PyMem_ArenaAlloc")
_COLLECTORS = ("gc_collect_main", "collect")
_FUNCTIONS = ("allocate_from_new_pool", "_PyObject_Malloc", "PyMem_RawMalloc", *_ARENAS, *_COLLECTORS)


@dataclass(frozen=True, slots=True)
class Place:
    """One place for an uprobe."""

    name: str

    program: str
    """heap_grew, collection_begins or collection_ends."""

    offset: int
    """In the file."""

    cookie: int
    semaphore: int = 0


@dataclass(slots=True)
class Edges:
    """What a build offers."""

    places: list[Place] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Which program lacks what, and the sentence for it."""


@contextmanager
def opened_binary(process: Process, python: Python, mappings: tuple[Mapping, ...]) -> Iterator[int]:
    """Open the file that the runtime comes from; BadElf if it cannot be opened any more."""
    memory = python.objects.memory
    for file in loaded_files(process, mappings):
        if file.path == python.runtime.path:
            descriptor = open_file(process, file, memory)
            if descriptor is None:
                break
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            return
    raise BadElf("the file of the runtime cannot be opened")


def find_edges(descriptor: int, python: Python, *, pools: bool, large_blocks: bool) -> Edges:
    """Find the places in an open binary; what is not found is said.

    A child process looks: what it has to import and read would keep 12 MB for the whole run. Raises BadElf.
    """
    if os.uname().machine != "x86_64":
        return Edges(missing={"heap_grew": _OTHER_MACHINE})
    try:
        found = call(lambda: _plain(_find_edges(descriptor, python, pools=pools, large_blocks=large_blocks)))
    except ReaderDied as error:
        raise BadElf(str(error)) from error
    return Edges([Place(*place) for place in found["places"]], found["missing"])


def _plain(edges: Edges) -> dict[str, object]:
    return {"places": [astuple(place) for place in edges.places], "missing": edges.missing}


def _find_edges(descriptor: int, python: Python, *, pools: bool, large_blocks: bool) -> Edges:
    edges = Edges()
    build = _Build(descriptor, python)
    if pools:
        edges.places += build.pools()
        if not any(place.name == "pool" for place in edges.places):
            edges.missing["heap_grew"] = build.why_no_pools()
    if large_blocks:
        edges.places += build.large_blocks()
    collector = build.probe_places() or build.collector_places()
    edges.places += collector
    if not collector:
        edges.missing["collection_begins"] = (
            "Pauses of the collector are not known: the build has neither its probes nor its symbols."
        )
    return edges


class _Build:
    """One build of CPython, looked at through its file."""

    def __init__(self, descriptor: int, python: Python) -> None:
        self._descriptor = descriptor
        self._python = python
        self._elf = Binary(file_reader(descriptor))
        self._sections = read_sections(descriptor)
        self._functions = local_functions(descriptor, self._sections, _FUNCTIONS)

    def why_no_pools(self) -> str:
        """The sentence for the report."""
        if not self._functions:
            return (
                "Growth of Python's small objects is seen when pages are touched: "
                "the build is stripped, and its allocator was not found without symbols."
            )
        return "Growth of Python's small objects is seen when pages are touched: no function to watch."

    # The allocator ---------------------------------------------------------------------------------

    def pools(self) -> Iterator[Place]:
        """New pools and new arenas."""
        pools, arenas = self._by_symbols() if self._functions else self._by_pointers()
        for symbol in pools:
            yield from self._entry(symbol, "pool", GrowthHow.POOL | self._pool_bytes() << 24, keep="")
        for symbol in arenas:
            cookie = GrowthHow.ARENA | CookieRegister.SI << 8
            yield from self._entry(symbol, "arena", cookie, keep="RSI")

    def _by_symbols(self) -> tuple[list[Symbol], list[Symbol]]:
        """The functions that take a new pool, and those that take a new arena."""
        arenas = [symbol for name in _ARENAS for symbol in self._functions.get(name, ())]
        return list(self._functions.get("allocate_from_new_pool", ())), arenas

    def _by_pointers(self) -> tuple[list[Symbol], list[Symbol]]:
        """The same without symbols."""
        try:
            functions = read_functions(self._descriptor, self._sections)
        except BadElf:
            return [], []
        found = AllocatorFunctions(self._elf, functions, self._python)
        pool, arena = found.new_pool(), found.arena()
        return [] if pool is None else [pool], [] if arena is None else [arena]

    def _pool_bytes(self) -> int:
        return 4096 if self._python.version < (3, 10) else 16384

    def _entry(self, symbol: Symbol, name: str, cookie: int, keep: str) -> Iterator[Place]:
        """The first cheap instruction of a function; a clone's part (".cold") is no entry."""
        if ".cold" in symbol.name or ".part" in symbol.name:
            return
        found = first_emulated(self._code(symbol), symbol.address, keep)
        if found is not None:
            yield Place(name, "heap_grew", file_offset(self._elf, found.address), cookie)

    def large_blocks(self) -> Iterator[Place]:
        """The calls that pass a request on to the raw allocator: its size is their first argument."""
        raw = self._python.runtime.bias + self._raw_malloc()
        for symbol in self._functions.get("_PyObject_Malloc", ()):
            for instruction in instructions(self._code(symbol), symbol.address):
                if instruction.target is not None and raw in self._destinations(instruction.target):
                    cookie = GrowthHow.LARGE | CookieRegister.DI << 8
                    yield Place("large", "heap_grew", file_offset(self._elf, instruction.address), cookie)

    def _raw_malloc(self) -> int:
        symbol = self._elf.symbol("PyMem_RawMalloc")
        local = self._functions.get("PyMem_RawMalloc", ())
        if symbol is None and not local:
            raise BadElf("no PyMem_RawMalloc")
        return symbol.address if symbol is not None else local[0].address

    def _destinations(self, address: int) -> tuple[int, ...]:
        """Where a call ends up in the target: there, or through a stub of the linkage table."""
        bias = self._python.runtime.bias
        for instruction in instructions(self._elf.read_virtual(address, 24), address):
            slot = jump_slot(instruction)
            if slot is not None:
                return (address + bias, self._word_in_target(slot + bias))
            if not instruction.code.startswith(b"\xf3\x0f\x1e\xfa"):  # endbr64
                break
        return (address + bias,)

    def _word_in_target(self, address: int) -> int:
        try:
            return int.from_bytes(self._python.objects.memory.read(address, 8), "little")
        except ReadFault:
            return 0

    # The collector ---------------------------------------------------------------------------------

    def probe_places(self) -> list[Place]:
        """gc__start and gc__done, if the build has both."""
        found = probe_notes(self._descriptor, self._sections)
        notes = {note.name: note for note in found if note.provider == "python"}
        begins, ends = notes.get("gc__start"), notes.get("gc__done")
        if begins is None or ends is None:
            return []
        made = (
            self._probe_place(begins, "collection_begins"),
            self._probe_place(ends, "collection_ends"),
        )
        return [place for place in made if place is not None] if all(made) else []

    def _probe_place(self, note: ProbeNote, program: str) -> Place | None:
        cookie = argument_cookie(note.arguments[0]) if note.arguments else None
        if cookie is None or self._elf.read_virtual(note.address, 1) != b"\x90":
            return None
        semaphore = file_offset(self._elf, note.semaphore) if note.semaphore else 0
        return Place(note.name, program, file_offset(self._elf, note.address), cookie, semaphore)

    def collector_places(self) -> list[Place]:
        """Entry of the collector, where its second argument is the generation, and behind its calls."""
        if self._python.version < (3, 9):
            return []  # two clones without their arguments
        symbols = [symbol for name in _COLLECTORS for symbol in self._functions.get(name, ())]
        if len(symbols) != 1 or symbols[0].name not in _COLLECTORS:
            return []
        begin = first_emulated(self._code(symbols[0]), symbols[0].address, keep="RSI")
        ends = list(self._behind_calls(symbols[0].address))
        if begin is None or not ends:
            return []
        generation = CookieRegister.SI << 8 | WIDTH_4
        unknown = -1 << 24 & (1 << 64) - 1
        return [
            Place("collector", "collection_begins", file_offset(self._elf, begin.address), generation),
            *(
                Place("collected", "collection_ends", file_offset(self._elf, end.address), unknown)
                for end in ends
            ),
        ]

    def _behind_calls(self, function: int) -> Iterator[Instruction]:
        """The first cheap instruction behind each direct call, also behind calls of what only jumps there."""
        text = self._sections.get(".text")
        if text is None or text.size > TEXT_LIMIT:
            return
        code = section_content(self._descriptor, text)
        callees = [function]
        for callee in callees:
            for position in _leading_to(CALL, code, callee - text.address)[:CALLS_LIMIT]:
                behind = position + 5
                found = first_emulated(code[behind : behind + 128], text.address + behind)
                if found is not None:
                    yield found
            jumps = _leading_to(JUMP, code, callee - text.address)[:CALLS_LIMIT]
            owners = functions_around(
                self._descriptor, self._sections, [text.address + position for position in jumps]
            )
            callees += [owner.address for owner in owners if owner.address not in callees][:CALLS_LIMIT]
            if len(callees) > CALLS_LIMIT:
                return

    def _code(self, symbol: Symbol) -> bytes:
        return self._elf.read_virtual(symbol.address, symbol.size)


def _leading_to(opcode: int, code: bytes, function: int) -> list[int]:
    """Where a function is called or jumped to: four bytes that fit by chance are one in four billion."""
    import numpy as np

    bytes_ = np.frombuffer(code, "u1")
    at = np.flatnonzero(bytes_[:-5] == opcode)
    distances = np.zeros(len(at), "<u4")
    for byte in range(4):
        distances |= bytes_[at + 1 + byte].astype("<u4") << np.uint32(8 * byte)
    found = at[distances.view("<i4") + at + 5 == function]
    return [int(position) for position in found]
