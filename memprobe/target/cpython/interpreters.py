"""The interpreters of a runtime: the main one and those that the program made."""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_INTERPRETERS = 1_000
"""More are not listed; each one costs its program a megabyte or more."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One interpreter of a runtime."""

    id: int
    """As the modules _xxsubinterpreters and _interpreters number them; the main one is 0."""

    address: int
    """Of its PyInterpreterState."""

    is_main: bool
    """Whether the runtime calls it the main one."""

    threads: int
    """Address of the newest of its PyThreadState, 0 if it has none."""

    modules: int
    """Address of sys.modules."""

    sys_dict: int
    """Address of the dict of the module sys."""

    gil: int
    """Address of its lock (3.12 and later; several interpreters can share one), else 0."""


class Interpreters:
    """Lists the interpreters of one runtime."""

    def __init__(self, objects: Objects, runtime: int) -> None:
        layout = objects.layout
        self._objects = objects
        self._runtime = runtime
        self._heads = Fields(layout, "_PyRuntimeState", "interpreters.head", "interpreters.main")
        threads = "threads.head" if layout.has("PyInterpreterState.threads.head") else "tstate_head"
        modules = "imports.modules" if layout.has("PyInterpreterState.imports.modules") else "modules"
        fields = ["id:signed", "next", threads, modules, "sysdict"]
        if layout.version >= (3, 12):
            fields.append("ceval.gil")
        # The fields lie far apart in a struct of up to 400 kB: read one by one, in one batch.
        self._fields = [Fields(layout, "PyInterpreterState", field) for field in fields]
        finalizing = "_finalizing" if layout.has("_PyRuntimeState._finalizing") else "finalizing"
        self._finalizing = Fields(layout, "_PyRuntimeState", finalizing)

    def are_ending(self) -> bool:
        """Whether the runtime takes itself apart: its program has ended."""
        try:
            return bool(self._finalizing.read(self._objects.memory, self._runtime)[0])
        except UNREADABLE:
            return False

    def read(self) -> tuple[Interpreter, ...]:
        """List the interpreters, the main one first; those that cannot be read end the list."""
        try:
            address, main = self._heads.read(self._objects.memory, self._runtime)
        except UNREADABLE:
            return ()
        found: dict[int, Interpreter] = {}
        while is_pointer(address) and address not in found and len(found) < MAXIMUM_INTERPRETERS:
            values = self._values(address)
            if values is None:
                break
            identity, following, threads, modules, sys_dict, *gil = values
            found[address] = Interpreter(
                identity, address, address == main, threads, modules, sys_dict, sum(gil)
            )
            address = following
        return tuple(sorted(found.values(), key=lambda one: (not one.is_main, one.id)))

    def _values(self, address: int) -> list[int] | None:
        regions = [(address + field.start, field.end - field.start) for field in self._fields]
        blocks = self._objects.memory.read_many(regions)
        if any(len(block) != size for block, (_, size) in zip(blocks, regions, strict=True)):
            return None
        return [
            field.unpack(block, -field.start)[0] for field, block in zip(self._fields, blocks, strict=True)
        ]
