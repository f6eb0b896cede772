"""Where holding begins: what is alive without any object of the heap having to hold it.

    modules        the namespaces in sys.modules:                 app.cache
    threads        local variables, exceptions, contexts:         <thread 12 'poller'> app:run local pending
    interpreters   codecs, fork and exit hooks, signal handlers:  <interpreter 0>.before_forkers
    static memory  of the interpreter and of C extensions:        <static memory of hoard.so>
    native code    references that nothing explains:              <native code>

A root of an earlier tier is the better explanation of an object that several hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import cached_property, partial
from typing import NamedTuple

from memprobe.heap.interpreter_roots import InterpreterRoots
from memprobe.heap.members import Members
from memprobe.heap.references import Place, Role
from memprobe.heap.signal_handlers import SignalHandlers
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, is_pointer
from memprobe.target.cpython.python import Python, PythonThread
from memprobe.target.proc.mappings import Mapping


class Tier(IntEnum):
    """How good a root is as an explanation."""

    MODULE = 0
    RUNNING = 1
    """Threads and interpreters."""

    SECONDARY = 2
    """The same, said worse: what a frame is working on, its namespaces, static types."""

    GUESSED = 3
    """What lies where the evaluation stack of a frame is, perhaps no more in use: believed only of objects
    that have more references than are known."""

    NATIVE = 4


class Root(NamedTuple):
    """One reference that begins a path."""

    title: str
    """What the path begins with."""

    place: Place
    tier: Tier
    counted: bool = False
    """Whether it is a reference of its own, counted in the object's reference count: what has it is no
    object of the heap."""


class Roots:
    """Finds the roots of one target."""

    def __init__(self, python: Python, members: Members, mappings: Sequence[Mapping] = ()) -> None:
        self._python = python
        self._objects = python.objects
        self._layout = python.layout
        self._members = members
        self._fields = InterpreterRoots(python)
        self._signals = SignalHandlers(python, mappings)

    @cached_property
    def _threads(self) -> tuple[PythonThread, ...]:
        return self._python.threads(stacks=False)

    def read(self, is_static: Callable[[int], bool]) -> list[Root]:
        """Return all roots but those that only the whole graph can tell, the best first.

        `is_static` says whether a type is no object of the heap. An object can be there more than once.
        """
        found: list[Root] = []
        for interpreter in self._python.interpreters():
            found += self._attempt(partial(self._modules, interpreter))
            found += self._attempt(partial(self._of_interpreter, interpreter))
            found += self._attempt(partial(self._static_types, interpreter, is_static))
            found += self._attempt(partial(self._cached_names, interpreter))
        found += self._attempt(self._signal_handlers)
        for thread in self._threads:
            found += self._attempt(partial(self._of_thread, thread))
            found += self._attempt(partial(self._frames, thread))
        return sorted(found, key=lambda root: root.tier)

    def deferred(self) -> list[int]:
        """Return the objects that only mirror what is going on: threads and their frames say it better."""
        found: list[int] = []
        for interpreter in self._python.interpreters():
            try:
                module = self._python.dictionaries.find(interpreter.modules, "threading")
                namespace = self._python.dictionaries.of_module(module) if module else 0
                found.append(self._python.dictionaries.find(namespace, "_active") if namespace else 0)
            except UNREADABLE:
                continue
        for thread in self._threads:
            try:
                frames = self._members.frames
                found += (frames.frame_object(frame) for frame in frames.frames_of_thread(thread.address))
            except UNREADABLE:
                continue
        return [address for address in found if is_pointer(address)]

    def _static_types(self, interpreter: Interpreter, is_static: Callable[[int], bool]) -> Iterator[Root]:
        self._members.know_static_types(self._fields.static_type_dicts(interpreter))
        for kind in filter(is_static, self._fields.subclasses(interpreter)):
            title = f"<type {self._members.type_name(kind)}>"
            for reference in self._members.of(Place(kind)):
                yield Root(f"{title}{reference.label}", reference.place, Tier.SECONDARY, counted=True)

    def _attempt(self, read: Callable[[], Iterator[Root]]) -> list[Root]:
        """Take what a reader yields until it comes upon something unreadable."""
        found: list[Root] = []
        try:
            # One by one: what came before the unreadable stays.
            for root in read():
                found += [root] if is_pointer(root.place.address) else []
        except UNREADABLE:
            pass
        return found

    def _modules(self, interpreter: Interpreter) -> Iterator[Root]:
        """Yield the namespaces of an interpreter's modules."""
        prefix = "" if interpreter.is_main else f"<interpreter {interpreter.id}> "
        dictionaries = self._python.dictionaries
        named = dictionaries.named_items(interpreter.modules)
        for name, module in sorted(named.items(), key=lambda item: _distance(item[0])):
            try:
                if not self._is_module(module):
                    yield Root(f"{prefix}{name}", Place(module), Tier.MODULE)
                    continue
                namespace = dictionaries.of_module(module)
            except UNREADABLE:
                continue
            yield Root(f"{prefix}{name}", Place(namespace, Role.NAMESPACE), Tier.MODULE)
            yield Root(f"{prefix}{name}", Place(module), Tier.MODULE)

    def _is_module(self, address: int) -> bool:
        facts = self._members.type_of(address)
        while facts.is_python_class and facts.base:
            facts = self._members.shapes.facts(facts.base)
        return facts.name == "module"

    def _of_interpreter(self, interpreter: Interpreter) -> Iterator[Root]:
        for name, address in self._fields.objects(interpreter):
            yield Root(f"<interpreter {interpreter.id}>.{name}", Place(address), Tier.RUNNING, counted=True)
        for number, member, address in self._fields.exit_functions(interpreter):
            # From 3.14 on they are in a list, which has the references.
            counted = self._layout.version < (3, 14)
            yield Root(f"<atexit>[{number}].{member}", Place(address), Tier.RUNNING, counted)

    def _cached_names(self, interpreter: Interpreter) -> Iterator[Root]:
        title = f"<interpreter {interpreter.id}>.type_cache"
        for address in self._fields.cached_names(interpreter):
            yield Root(title, Place(address), Tier.SECONDARY, counted=True)

    def _signal_handlers(self) -> Iterator[Root]:
        for number, address in self._signals.read():
            yield Root(f"signal.getsignal({number})", Place(address), Tier.RUNNING, counted=True)

    def _of_thread(self, thread: PythonThread) -> Iterator[Root]:
        """Yield what a thread state refers to."""
        title = thread_title(thread)
        for name, address in self._fields.of_thread(thread.address):
            yield Root(f"{title} {name}", Place(address), Tier.RUNNING, counted=True)

    def _frames(self, thread: PythonThread) -> Iterator[Root]:
        """Yield the local variables of a thread's frames, innermost first."""
        frames = self._members.frames
        title = thread_title(thread)
        for frame in frames.frames_of_thread(thread.address):
            try:
                is_counted = not frames.is_in_heap(frame)
                for local in frames.of_frame(frame):
                    place = Place(local.target, Role.VARIABLE)
                    tier = Tier.RUNNING if local.name else Tier.SECONDARY
                    yield Root(f"{title} {local.frame} {local.text}", place, tier, is_counted)
                for local in frames.perhaps_on_stack(frame):
                    yield Root(f"{title} {local.frame} {local.text}", Place(local.target), Tier.GUESSED)
                namespace, names = frames.namespace_of(frame)
                where = f"{title} {frames.title(frame)}"
            except UNREADABLE:
                continue
            for name, address in (("globals", namespace), ("locals", names)):
                yield Root(f"{where} {name}", Place(address, Role.NAMESPACE), Tier.SECONDARY)


def thread_title(thread: PythonThread) -> str:
    """Return how a thread begins a path: <thread 12 'poller'>."""
    number = thread.tid if thread.tid is not None else thread.ident
    return f"<thread {number} {(thread.name or thread.os_name or '?')!r}>"


def _distance(module: str) -> tuple[bool, int]:
    """Say how far a module is from being the home of what several modules have by name.

    Who imports is deeper in a package, or the script that was started; who defines comes first.
    """
    return module == "__main__", module.count(".")
