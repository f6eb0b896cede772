"""The programs, compiled by bcc for this kernel."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache

from memprobe.errors import NoKernelSupport
from memprobe.native.bpf import BpfError, BpfObject, has_helper, source_path
from memprobe.sources.bcc.compiling import compiled
from memprobe.sources.bcc.fields import (
    FIELDS,
    PLAIN_COUNTERS,
    Offsets,
    claimed_offsets,
    claims_source,
    compiler_flags,
)
from memprobe.sources.bcc.finding import KernelLayout, find_layout
from memprobe.sources.bcc.headers import Headers, find_headers
from memprobe.sources.bcc.kernel_memory import KernelMemory
from memprobe.sources.bcc.tasks import Task, Tasks
from memprobe.sources.kernel.refusals import refused

HELPERS = (181, 195)
"""bpf_loop and bpf_map_lookup_percpu_elem: those that the programs can do without, and that need no BTF."""

_ONLY = struct.pack("=I", 0)
_PEEK = "peek"

# Once for a process that runs memprobe; a kernel does not change.
_images: dict[tuple[str, Headers], bytes] = {}
_layouts: dict[Headers, KernelLayout] = {}


class CompiledHere:
    """What `Programs` is made with where there is no BTF."""

    unused = frozenset({"census"})

    def __init__(self, headers_folder: str | None = None) -> None:
        self._folder = headers_folder
        self._peek: BpfObject | None = None
        self._found: Tasks | None = None

    def prepare(self, names: Iterable[str], later: Iterable[str] = ()) -> None:
        """Compile what has not been compiled in this process.

        What may be wanted later, too: it takes seconds, in which nobody would empty the ring.
        """
        headers = find_headers(self._folder)
        try:
            layout = self._layout(headers)
        except BpfError as error:  # it may not read the kernel's memory, or not run a program itself
            raise refused(_PEEK, error) from error
        _compile(names, headers, layout)
        with suppress(NoKernelSupport):  # who opens it is told
            _compile(later, headers, layout)

    def open(self, name: str) -> BpfObject:
        """Open an object, compiling it first if nobody has prepared it."""
        self.prepare([name])
        headers = find_headers(self._folder)
        made = BpfObject(_images[name, headers], name=name)
        stack_bytes = struct.pack("=I", self._layout(headers).stack_bytes)
        for name, value in (("known_helpers", _known_helpers()), ("stack_bytes", stack_bytes)):
            if made.has_constant(name):
                made.set_constant(name, value)
        return made

    def census(self, maps: BpfObject, *, tid: int = 0, pid: int = 0) -> bytes:
        """Run the census program on task after task."""
        tasks = self._tasks()
        if not (tid or pid):
            return b"".join(_rows(maps, (task for one in tasks.leaders() for task in tasks.threads(one))))
        for _ in range(2):
            leader = tasks.leader(tid or pid)
            if leader is None:
                return b""
            found = b"".join(_rows(maps, [leader] if tid else tasks.threads(leader)))
            if found:
                return found
            tasks.forget(tid or pid)
        return b""

    def close(self) -> None:
        """Let go of the program that reads the kernel's memory."""
        if self._peek is not None:
            self._peek.close()
            self._peek = self._found = None

    @property
    def layout(self) -> KernelLayout:
        """Where the kernel has its fields; raises NoKernelSupport where that cannot be told."""
        return self._layout(find_headers(self._folder))

    def _layout(self, headers: Headers) -> KernelLayout:
        if headers not in _layouts:
            _layouts[headers] = _found_layout(self._memory(headers), headers)
        return _layouts[headers]

    def _tasks(self) -> Tasks:
        if self._found is None:
            headers = find_headers(self._folder)
            self._found = Tasks(self._memory(headers), self._layout(headers).offsets)
        return self._found

    def _memory(self, headers: Headers) -> KernelMemory:
        if self._peek is None:
            self._peek = BpfObject(_peek_image(headers), name=_PEEK)
            self._peek.load()
        return KernelMemory(self._peek)


def _found_layout(memory: KernelMemory, headers: Headers) -> KernelLayout:
    try:
        return find_layout(memory, _claims(headers))
    except NoKernelSupport as error:
        fact = f"{error.fact}; what is claimed of it is from the headers in {headers.build}"
        raise NoKernelSupport(fact, remedy=headers.remedy) from None


def _compile(names: Iterable[str], headers: Headers, layout: KernelLayout) -> None:
    missing = [name for name in names if (name, headers) not in _images]
    made = compiled({name: _main_file(name) for name in missing}, headers, compiler_flags(layout.offsets))
    _images.update({(name, headers): image for name, image in made.items()})


@cache
def _peek_image(headers: Headers) -> bytes:
    # It reads no field by its name.
    nowhere = compiler_flags(dict.fromkeys((*FIELDS, PLAIN_COUNTERS), 0))
    return compiled({_PEEK: _main_file(_PEEK)}, headers, nowhere)[_PEEK]


@cache
def _claims(headers: Headers) -> Offsets:
    """What the headers say; nothing where they do not compile by themselves."""
    try:
        return claimed_offsets(compiled({"claims": claims_source()}, headers)["claims"])
    except NoKernelSupport:
        return {}


def _main_file(name: str) -> str:
    return f'#include "{source_path(name)}"\n'


def _rows(maps: BpfObject, tasks: Iterable[Task]) -> Iterator[bytes]:
    for address, number in tasks:
        maps.run("task_counted", struct.pack("=2Q", address, number))
        row = maps.read_map("counted_row", _ONLY) or b""
        if any(row):
            yield row


@cache
def _known_helpers() -> bytes:
    known = sum(1 << number for number in HELPERS if has_helper(number))
    return known.to_bytes(32, "little")
