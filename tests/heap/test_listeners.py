"""Registries: collections of callables are found, with their owners; namespaces are none."""

from __future__ import annotations

from pathlib import Path

from heap_looks.holding_in import looked_into
from memprobe.heap.listeners import Listeners
from pythons import Interpreter

EXPECTED = {
    "__main__.BUS._handlers": ("dict", 42, {"bound methods": 30, "partials": 12}),
    "__main__.CALLBACKS": ("list", 25, {"closures": 25}),
    "__main__.BY_NAME": ("dict", 21, {"closures": 21}),
    "__main__.SIGNALS": ("set", 17, {"closures": 17}),
    "__main__.METHODS": ("list", 9, {"weak references": 9}),
    "__main__.WEAK.data": ("set", 8, {"weak references": 8}),
}


def test_registries(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "registries.py") as target, looked_into(target.pid) as look:
        found = Listeners(look.holders).find()
    own = {one.path: (one.type, one.length, one.kinds) for one in found if one.path.startswith("__main__")}
    assert own == EXPECTED
    lengths = [one.length for one in found]
    assert lengths == sorted(lengths, reverse=True)


def test_the_longest_come_first(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "registries.py") as target, looked_into(target.pid) as look:
        (first, second) = Listeners(look.holders).find(2)
    assert [first.path, second.path] == ["__main__.BUS._handlers", "__main__.CALLBACKS"]
