"""Callbacks of the target: what they are called, and what they act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from memprobe.heap.tasks.containers import Containers
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_NESTING = 4
"""Partials of partials are looked through this deep."""

MAXIMUM_CELLS = 64
"""Variables of a closure, or arguments of a partial, that are looked at."""

CLOSURES = (
    "gather.<locals>._done_callback",
    "_gather.<locals>._done_callback",
    "_wait.<locals>._on_completion",
    "shield.<locals>._inner_done_callback",
    "as_completed.<locals>._on_completion",
)
"""Functions of asyncio.tasks whose closure has the future that the callback completes."""

NOT_AWAITING = "_discard_awaited_by"
"""Of gather() in 3.14 and later: it has the task that called it, which need not be the one that waits."""


class Callback(NamedTuple):
    """One callable."""

    name: str
    """Module and qualified name; of a bound method those of its function."""

    acts_on: tuple[int, ...]
    """Its object if it is bound, arguments of a partial, futures of asyncio's own closures."""


class Callables:
    """Reads callables of one target."""

    def __init__(self, objects: Objects, types: Types, containers: Containers) -> None:
        layout = objects.layout
        self._objects = objects
        self._types = types
        self._containers = containers
        self._function = Fields(layout, "PyFunctionObject", "func_qualname", "func_module", "func_closure")
        self._method = Fields(layout, "PyMethodObject", "im_func", "im_self")
        self._builtin = Fields(layout, "PyCFunctionObject", "m_ml", "m_self", "m_module")
        self._partial = Fields(layout, "partialobject", "fn", "args")
        self._method_name = layout.offset("PyMethodDef.ml_name")
        self._cell = layout.offset("PyCellObject.ob_ref")
        self._task_of = {"TaskStepMethWrapper": layout.offset("TaskStepMethWrapper.sw_task")}
        if layout.has("TaskWakeupMethWrapper.ww_task"):
            self._task_of["TaskWakeupMethWrapper"] = layout.offset("TaskWakeupMethWrapper.ww_task")
        self._known: dict[int, Callback] = {}
        self._readers: dict[str, Callable[[int, int], Callback]] = {
            "function": self._of_function,
            "method": self._of_method,
            "builtin_function_or_method": self._of_builtin,
            "functools.partial": self._of_partial,
        }

    def read(self, address: int, depth: int = MAXIMUM_NESTING) -> Callback:
        """Describe a callable; one that cannot be read has the name of its type, or none.

        It is read once in a look: thousands of timers share one function.
        """
        if address not in self._known:
            self._known[address] = self._read(address, depth)
        return self._known[address]

    def _read(self, address: int, depth: int) -> Callback:
        if not is_pointer(address) or depth <= 0:
            return Callback("", ())
        kind = self._types.of(address)
        name = self._types.name(kind)
        try:
            if (reader := self._readers.get(name)) is not None:
                return reader(address, depth)
            plain = name.rpartition(".")[2]
            if plain in self._task_of:
                return Callback(plain, (self._objects.pointer(address + self._task_of[plain]),))
        except UNREADABLE:
            return Callback(name, ())
        return Callback(self._types.label(kind), (address,))

    def _of_function(self, address: int, depth: int) -> Callback:
        qualname, module, closure = self._function.read(self._objects.memory, address)
        names = self._objects.strings([qualname, module])
        name = names.get(qualname, "")
        acts_on = tuple(self._cells(closure)) if name in CLOSURES else ()
        return Callback(f"{names[module]}.{name}" if module in names else name, acts_on)

    def _cells(self, closure: int) -> Iterator[int]:
        """What a closure holds but tasks: in 3.14 they are those that have called gather or wait."""
        cells = self._containers.items(closure, MAXIMUM_CELLS).addresses if is_pointer(closure) else []
        blocks = self._objects.memory.read_many([(cell + self._cell, 8) for cell in cells])
        types = self._types.of_many(int.from_bytes(block, "little") for block in blocks)
        for address, kind in types.items():
            if not any(
                self._types.name(base).rpartition(".")[2] == "Task" for base in self._types.bases(kind)
            ):
                yield address

    def _of_method(self, address: int, depth: int) -> Callback:
        function, owner = self._method.read(self._objects.memory, address)
        return Callback(self.read(function, depth - 1).name, (owner,))

    def _of_builtin(self, address: int, depth: int) -> Callback:
        method, owner, module = self._builtin.read(self._objects.memory, address)
        start = int.from_bytes(self._objects.memory.read(method + self._method_name, 8), "little")
        (block,) = self._objects.memory.read_many([(start, 256)])
        name = block.partition(b"\0")[0].decode("utf-8", "replace")
        label = self._types.label(self._types.of(owner)) if is_pointer(owner) else "module"
        if label != "module":
            return Callback(f"{label}.{name}", (owner,))
        where = self._objects.strings([module]).get(module, "builtins")
        return Callback(name if where == "builtins" else f"{where}.{name}", ())

    def _of_partial(self, address: int, depth: int) -> Callback:
        function, arguments = self._partial.read(self._objects.memory, address)
        inner = self.read(function, depth - 1)
        if inner.name.endswith(NOT_AWAITING):
            return Callback(f"functools.partial({inner.name})", ())
        given = self._containers.items(arguments, MAXIMUM_CELLS).addresses
        return Callback(f"functools.partial({inner.name})", (*inner.acts_on, *given))
