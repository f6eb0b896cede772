"""A CPython runtime inside a process: verified once, then asked as often as wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from memprobe.errors import LayoutCheckFailed
from memprobe.target.binary.runtime import RuntimeLocation, check_supported
from memprobe.target.cpython.arenas import Arena, Arenas, ArenasReader
from memprobe.target.cpython.code_objects import CodeObjects
from memprobe.target.cpython.collector import Collector, Collectors
from memprobe.target.cpython.debug_offsets import read_debug_offsets
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.frames import Stacks
from memprobe.target.cpython.instances import Instances
from memprobe.target.cpython.interpreters import Interpreter, Interpreters
from memprobe.target.cpython.objects import UNREADABLE, Objects
from memprobe.target.cpython.thread_names import ThreadName, ThreadNames
from memprobe.target.cpython.threads import MAXIMUM_THREADS, OsThread, ThreadState, ThreadStates, TidFinder
from memprobe.target.cpython.verification import INVISIBLE, LayoutCheck, Verification, check_debug_offsets
from memprobe.target.layouts import Layout, load_variants
from memprobe.target.proc.mappings import Mapping as MemoryMapping
from memprobe.vocab import Memory, Stack

_ATTEMPTS = 3
# A Python that is just starting has no sys.modules for some 10 ms.
_PAUSE_SECONDS = 0.02

_NO_NAME = ThreadName("", None)


@dataclass(frozen=True, slots=True)
class PythonThread:
    """One thread as Python knows it."""

    interpreter: int
    """The id of its interpreter."""

    address: int
    """Of its PyThreadState."""

    ident: int
    """threading.get_ident()"""

    tid: int | None
    """In memprobe's pid namespace; None if no thread of the process is surely the one."""

    os_name: str
    """The name that the operating system has; empty if the tid is not known."""

    name: str
    """The name that the module threading has; empty if it does not know the thread."""

    daemon: bool | None
    """Thread.daemon; None if threading does not know the thread."""

    holds_gil: bool
    """Whether it held its interpreter's lock just then."""

    stack: Stack | None
    """Its Python frames; None if they were not asked for or cannot be read."""


class Python:
    """One CPython runtime; made by `attach_python`."""

    def __init__(
        self,
        objects: Objects,
        runtime: RuntimeLocation,
        mappings: Sequence[MemoryMapping],
        threads: Sequence[OsThread],
        symbols: Mapping[str, int],
    ) -> None:
        self.runtime = runtime
        self.layout: Layout = objects.layout
        self.version: tuple[int, int] = objects.layout.version
        self.hexversion: int | None = runtime.version.hexversion
        self.checks: tuple[LayoutCheck, ...] = ()
        """The layout checks, in the order in which they ran."""
        self.objects = objects
        self.dictionaries = Dictionaries(objects)
        self.instances = Instances(objects, self.dictionaries)
        self.codes = CodeObjects(objects, runtime.symbols.get("PyCode_Type", 0))
        self.stacks = Stacks(objects, self.codes)
        self._threads = tuple(threads)
        self._interpreters = Interpreters(objects, runtime.address)
        self._states = ThreadStates(objects, runtime.address)
        self._names = ThreadNames(objects, self.dictionaries, self.instances)
        self._collectors = Collectors(objects, runtime.address)
        self.local_symbols = symbols
        self._arenas = ArenasReader(objects, runtime, mappings, symbols)

    @property
    def invisible(self) -> tuple[str, ...]:
        """What is left out because a check failed, one sentence each."""
        return tuple(INVISIBLE[check.name] for check in self.checks if not check.passed)

    def verify(self) -> None:
        """Run the layout checks; raise LayoutCheckFailed if an essential one does not hold."""
        verification = Verification(self.objects, self.runtime, self.dictionaries)
        essential = verification.essential()
        others = verification.others(self.stacks, self._collectors, self._threads)
        self.checks = (*essential, *others)

    def interpreters(self) -> tuple[Interpreter, ...]:
        """List the interpreters, the main one first."""
        return self._interpreters.read()

    def is_ending(self) -> bool:
        """Whether its program has ended and it frees now what there is, modules and all."""
        return self._interpreters.are_ending()

    def threads(
        self, os_threads: Sequence[OsThread] | None = None, *, stacks: bool = True
    ) -> tuple[PythonThread, ...]:
        """List the threads of all interpreters, with their stacks unless not wanted.

        `os_threads` replaces the threads that were given when the runtime was attached.
        """
        finder = TidFinder(self.objects, self._threads if os_threads is None else os_threads)
        listed = list(self._thread_states())
        addresses = [state.address for _, states in listed for state in states]
        read = self.stacks.read(addresses) if stacks and self._passed("frames") else []
        by_address = dict(zip(addresses, read, strict=False))
        return tuple(
            thread
            for interpreter, states in listed
            for thread in self._of_interpreter(interpreter, states, finder, by_address)
        )

    def collector(
        self, interpreter: Interpreter | None = None, *, count_objects: bool = True
    ) -> Collector | None:
        """Read the collector of an interpreter (the main one); None if it could not be verified."""
        listed = self.interpreters() if interpreter is None else (interpreter,)
        if not listed or not self._passed("collector lists"):
            return None
        return self._collectors.read(listed[0], count_objects=count_objects)

    def permanent_heads(self) -> list[int]:
        """Return where the collector lists what gc.freeze() put aside, of all interpreters."""
        return self._collectors.permanent_heads(self.interpreters())

    def arenas(self, mappings: Sequence[MemoryMapping] | None = None) -> Arenas:
        """Count the arenas of Python's own allocator; `mappings` are those of now, if time has passed."""
        return self._arenas.read(self.interpreters(), mappings)

    def locate_arenas(self, mappings: Sequence[MemoryMapping] | None = None) -> tuple[list[Arena], str]:
        """List the arenas, and say why there is none if so; `mappings` are those of now."""
        try:
            arenas = self._arenas.locate(self.interpreters(), mappings)
        except UNREADABLE as error:
            return [], f"the arenas of Python's own allocator could not be read: {error}"
        return arenas, "" if arenas else self._arenas.absence

    def _thread_states(self) -> Iterator[tuple[Interpreter, tuple[ThreadState, ...]]]:
        """Yield the thread states of each interpreter, not more than a limit in all."""
        left = MAXIMUM_THREADS
        for interpreter in self.interpreters():
            states = self._states.read(interpreter, left)
            left -= len(states)
            yield interpreter, states

    def _of_interpreter(
        self,
        interpreter: Interpreter,
        states: Sequence[ThreadState],
        finder: TidFinder,
        stacks: Mapping[int, Stack],
    ) -> list[PythonThread]:
        tids = finder.match(states) if self._passed("thread ids") else {}
        names = self._names.read(interpreter)
        holder = self._states.gil_holder(interpreter)
        threads = []
        for state in states:
            known, behind = names.get(state.ident, _NO_NAME), tids.get(state.address)
            threads.append(
                PythonThread(
                    interpreter=interpreter.id,
                    address=state.address,
                    ident=state.ident,
                    tid=behind.tid if behind else None,
                    os_name=behind.name if behind else "",
                    name=known.name,
                    daemon=known.daemon,
                    holds_gil=state.address == holder,
                    stack=stacks.get(state.address),
                )
            )
        return threads

    def _passed(self, name: str) -> bool:
        return not any(check.name == name and not check.passed for check in self.checks)


def attach_python(
    memory: Memory,
    runtime: RuntimeLocation,
    mappings: Sequence[MemoryMapping] = (),
    threads: Sequence[OsThread] = (),
    *,
    symbols: Mapping[str, int] | None = None,
    machine: str = "",
) -> Python:
    """Verify the layout of a runtime and return it ready to be asked.

    `threads` are those that the operating system lists, `symbols` the addresses of local symbols
    (`arenas`, to 3.11) where the binary has them; `machine` is this one unless an image says otherwise.
    Raises LayoutCheckFailed or what check_supported raises.
    """
    check_supported(runtime)

    def attached(layout: Layout) -> Python:
        layout, check = _with_carried_offsets(memory, layout, runtime)
        python = Python(Objects(memory, layout), runtime, mappings, threads, symbols or {})
        python.verify()
        python.checks = (*check, *python.checks)
        return python

    layouts = _layouts(runtime, machine)
    for attempt in range(_ATTEMPTS - 1):
        try:
            return _best(attached, layouts)
        except LayoutCheckFailed:
            time.sleep(_PAUSE_SECONDS * (attempt + 1))
    return _best(attached, layouts)


def _best(attached: Callable[[Layout], Python], layouts: Sequence[Layout]) -> Python:
    """Attach under the layout for which most checks hold; those come first that are likeliest."""
    found: list[Python] = []
    failures: list[LayoutCheckFailed] = []
    for layout in layouts:
        try:
            found.append(attached(layout))
        except LayoutCheckFailed as failure:
            failures.append(failure)
            continue
        if not found[-1].invisible:
            return found[-1]
    if not found:
        raise failures[0]
    return max(found, key=lambda python: sum(check.passed for check in python.checks))


def _layouts(runtime: RuntimeLocation, machine: str) -> tuple[Layout, ...]:
    """Return the layouts that patch releases of this version have had, the likeliest first."""
    assert runtime.version.minor is not None
    hexversion = runtime.version.hexversion
    patch = None if hexversion is None else hexversion >> 8 & 0xFF
    variants = load_variants(runtime.version.minor, machine or os.uname().machine, patch)
    # 3.14.0 to 3.14.4 have another collector; check_supported has refused them already.
    return tuple(layout for layout in variants if layout.has("_gc_runtime_state.generations"))


def _with_carried_offsets(
    memory: Memory, layout: Layout, runtime: RuntimeLocation
) -> tuple[Layout, tuple[LayoutCheck, ...]]:
    """Lay the offsets that the runtime carries (3.13 and later) over the table, once checked."""
    carried = read_debug_offsets(memory, layout, runtime.address)
    if carried is None:
        return layout, ()
    check = check_debug_offsets(layout, carried, runtime.version.hexversion)
    return layout.with_offsets(carried.offsets), (check,)
