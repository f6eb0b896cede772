"""Named checks that the layout tables hold on this very process.

A table is a claim. Each check reads something whose value is known beforehand. Without an essential
one nothing that was read could be believed: it raises LayoutCheckFailed. Without another one a
piece is left out, and said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memprobe.errors import LayoutCheckFailed
from memprobe.target.binary.runtime import RuntimeLocation
from memprobe.target.cpython.collector import Collectors
from memprobe.target.cpython.debug_offsets import DebugOffsets, differences
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.frames import Stacks
from memprobe.target.cpython.interpreters import Interpreter, Interpreters
from memprobe.target.cpython.objects import UNREADABLE, Objects
from memprobe.target.cpython.threads import OsThread, ThreadStates, TidFinder
from memprobe.target.layouts import Layout

_THREADS_CHECKED = 4
_DIFFERENCES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class LayoutCheck:
    """One check, and how it went."""

    name: str
    """What was compared: "type of type", "sys.hexversion"."""

    passed: bool
    detail: str
    """What was found, in words."""


class CheckFailed(Exception):
    """A check did not hold; inside only."""


INVISIBLE = {
    "frames": "Python stacks: the frames of this process are not laid out as expected",
    "thread ids": "which thread of the operating system runs which Python thread",
    "collector lists": "garbage collector state: its lists are not laid out as expected",
}
"""What is left out when a check that is not essential fails."""


def check_debug_offsets(layout: Layout, found: DebugOffsets, hexversion: int | None) -> LayoutCheck:
    """Check the offsets that a runtime carries before anything is read with them."""
    complaint = found.complaint
    if not complaint and hexversion is not None and found.hexversion != hexversion:
        complaint = f"they are of version {found.hexversion:#x}, the binary is {hexversion:#x}"
    if complaint:
        raise _essential("debug offsets", complaint)
    moved = differences(layout, found.offsets)
    shown = ", ".join(moved[:_DIFFERENCES_SHOWN]) + (", ..." if len(moved) > _DIFFERENCES_SHOWN else "")
    detail = f"{len(moved)} differ from the table of {layout.patch}: {shown}" if moved else "as in the table"
    return LayoutCheck("debug offsets", True, f"{len(found.offsets)} read, {detail}")


class Verification:
    """Runs the checks on one runtime."""

    def __init__(self, objects: Objects, runtime: RuntimeLocation, dictionaries: Dictionaries) -> None:
        self._objects = objects
        self._runtime = runtime
        self._dictionaries = dictionaries
        self._interpreters = Interpreters(objects, runtime.address)
        self._states = ThreadStates(objects, runtime.address)

    def essential(self) -> list[LayoutCheck]:
        """Run the checks without which nothing can be believed; raise LayoutCheckFailed."""
        checks: list[tuple[str, Callable[[], str]]] = [
            ("interpreters", self._check_interpreters),
            ("thread states", self._check_thread_states),
            ("type of type", self._check_type_of_type),
            ("sys.modules", self._check_modules),
            ("sys.hexversion", self._check_hexversion),
        ]
        passed = []
        for name, check in checks:
            result = _run(name, check)
            if not result.passed:
                raise _essential(name, result.detail)
            passed.append(result)
        return passed

    def others(
        self, stacks: Stacks, collectors: Collectors, threads: Sequence[OsThread]
    ) -> list[LayoutCheck]:
        """Run the checks whose failure costs one piece."""
        return [
            _run("frames", lambda: self._check_frames(stacks)),
            _run("thread ids", lambda: self._check_thread_ids(threads)),
            _run("collector lists", lambda: self._check_collector(collectors)),
        ]

    def _main(self) -> Interpreter:
        found = self._interpreters.read()
        if not found:
            raise CheckFailed("there is no interpreter")
        return found[0]

    def _check_interpreters(self) -> str:
        """Check that the main interpreter has the id 0 and no two have the same."""
        found = self._interpreters.read()
        main = self._main()
        if not main.is_main or main.id != 0:
            raise CheckFailed(f"the first interpreter has the id {main.id}, not 0")
        ids = [interpreter.id for interpreter in found]
        if len(set(ids)) != len(ids) or min(ids) < 0:
            raise CheckFailed(f"the interpreters have the ids {ids}")
        return "the main interpreter has the id 0" + (f", {len(ids)} in all" if len(ids) > 1 else "")

    def _check_thread_states(self) -> str:
        """Check that the main interpreter has threads which belong to it."""
        states = self._states.read(self._main())
        if not states:
            raise CheckFailed("no thread state of the main interpreter points back to it")
        return f"{len(states)} point back to their interpreter"

    def _check_type_of_type(self) -> str:
        """Check that `type` is its own type."""
        kind = self._runtime.symbols.get("PyType_Type", 0)
        if not kind:
            kind = self._objects.type_of(self._objects.type_of(self._sys_module()))
        if self._objects.type_of(kind) != kind:
            raise CheckFailed("the type of type is something else")
        name = self._objects.type_name(kind)
        if name != "type":
            raise CheckFailed(f"type is called {name[:40]!r}")
        return "type is its own type"

    def _check_modules(self) -> str:
        """Check that sys.modules["sys"] is the module whose dict the interpreter knows."""
        module = self._sys_module()
        if self._dictionaries.of_module(module) != self._main().sys_dict:
            raise CheckFailed('sys.modules["sys"] has another dict than the interpreter says')
        return "sys.modules holds sys"

    def _check_hexversion(self) -> str:
        """Check that sys.hexversion is what the binary says."""
        value = self._dictionaries.find(self._main().sys_dict, "hexversion")
        found = self._objects.integer(value) if value else 0
        expected = self._runtime.version.hexversion
        minor = (found >> 24, found >> 16 & 0xFF)
        if minor != self._runtime.version.minor or expected not in (None, found):
            text = f"{expected:#x}" if expected is not None else self._runtime.version.text
            raise CheckFailed(f"sys.hexversion is {found:#x}, the binary is {text}")
        return f"{found:#x}, as the binary says"

    def _sys_module(self) -> int:
        module = self._dictionaries.find(self._main().modules, "sys")
        if not module:
            raise CheckFailed("sys.modules holds no sys")
        return module

    def _check_frames(self, stacks: Stacks) -> str:
        """Check that the innermost frames lead to code objects."""
        states = [state for state in self._states.read(self._main()) if state.has_frame]
        found = stacks.read([state.address for state in states[:_THREADS_CHECKED]])
        if found and not any(stack.frames for stack in found):
            raise CheckFailed(f"none of {len(found)} threads with frames leads to a code object")
        return f"{len(found)} threads lead to code objects" if found else "no thread runs Python code"

    def _check_thread_ids(self, threads: Sequence[OsThread]) -> str:
        """Check that thread states lead to threads which the operating system lists."""
        if not threads:
            return "not compared: the threads of the operating system are not known"
        states = [state for state in self._states.read(self._main()) if state.has_frame]
        matched = TidFinder(self._objects, threads).match(states)
        if states and not matched:
            raise CheckFailed(f"none of {len(states)} thread states has a tid of the process")
        return f"{len(matched)} of {len(states)} are threads of the process"

    def _check_collector(self, collectors: Collectors) -> str:
        """Check that the collector's lists are doubly linked."""
        complaint = collectors.check(self._main())
        if complaint:
            raise CheckFailed(complaint)
        return "its lists are doubly linked"


def _run(name: str, check: Callable[[], str]) -> LayoutCheck:
    try:
        return LayoutCheck(name, True, check())
    except CheckFailed as error:
        return LayoutCheck(name, False, str(error))
    except UNREADABLE as error:
        return LayoutCheck(name, False, f"not readable: {error}")


def _essential(name: str, detail: str) -> LayoutCheckFailed:
    return LayoutCheckFailed(
        f"the layout check '{name}' failed: {detail}; nothing read from this Python could be believed",
        remedy="if Python was just starting or ending, try again; a patched CPython is not supported",
    )
