"""The names that the module threading gives to threads.

They are in `threading._active`, a dict from threading.get_ident() to the Thread. Only threads
that were started through threading are there; a module that was never imported names none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memprobe.target.cpython.dictionaries import Dictionaries, Item
from memprobe.target.cpython.instances import Instances
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, Objects

MAXIMUM_NAMES = 20_000
"""As many threads are named at most."""


@dataclass(frozen=True, slots=True)
class ThreadName:
    """What threading knows of one thread."""

    name: str
    """Thread.name."""

    daemon: bool | None
    """Thread.daemon; None if it could not be read."""


class ThreadNames:
    """Reads the threads that the module threading knows."""

    def __init__(self, objects: Objects, dictionaries: Dictionaries, instances: Instances) -> None:
        self._objects = objects
        self._dictionaries = dictionaries
        self._instances = instances

    def read(self, interpreter: Interpreter) -> dict[int, ThreadName]:
        """Return what threading knows of an interpreter's threads, by their ident."""
        try:
            module = self._dictionaries.find(interpreter.modules, "threading")
            namespace = self._dictionaries.of_module(module) if module else 0
            active = self._dictionaries.find(namespace, "_active") if namespace else 0
            items = self._dictionaries.items(active)[:MAXIMUM_NAMES] if active else []
        except UNREADABLE:
            return {}
        found = self._attributes(items)
        names = self._objects.strings(one["_name"] for one in found.values() if "_name" in one)
        return {
            ident: ThreadName(names[one["_name"]], self._truth(one.get("_daemonic", 0)))
            for ident, one in found.items()
            if one.get("_name") in names
        }

    def _attributes(self, items: Sequence[Item]) -> dict[int, dict[str, int]]:
        """Return the attributes of threads by their ident; all have the same few strings for names."""
        labels: dict[int, str] = {}
        found: dict[int, dict[str, int]] = {}
        for key, thread in items:
            try:
                attributes = self._instances.attributes(thread)
                labels |= self._objects.strings(name for name, _ in attributes if name not in labels)
                found[self._objects.integer(key)] = {
                    labels[name]: value for name, value in attributes if name in labels
                }
            except UNREADABLE:
                continue
        return found

    def _truth(self, address: int) -> bool | None:
        """Read True or False: to the memory reader they are integers."""
        try:
            return bool(self._objects.integer(address))
        except UNREADABLE:
            return None
