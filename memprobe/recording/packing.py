"""Any objects as nodes (nodes.py): what is shared stays shared."""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import numpy as np

from memprobe.recording.columns import type_text
from memprobe.recording.nodes import LENGTH, Names, Node, Sort

_ATOMS = frozenset({type(None), bool, int, float, str})


def packed_object(root: object, *given: object) -> bytes:
    """Return an object, and all that it refers to, as bytes; without what the reader will have."""
    packer = _Packer(given)
    packer.value(root)
    head = json.dumps(
        {"classes": list(packer.classes), "nodes": packer.nodes}, separators=(",", ":")
    ).encode()
    return b"".join((LENGTH.pack(len(head)), head, *packer.blobs))


class _Packer:
    """Numbers the objects as it meets them."""

    def __init__(self, given: tuple[object, ...]) -> None:
        self._given = given
        self.nodes: list[Node] = []
        self.classes: dict[tuple[str, str, Names], int] = {}
        self.blobs: list[bytes] = []
        self._blob_bytes = 0
        self._numbers: dict[int, int] = {}
        self._slots: dict[type, Names] = {}
        self._kept: list[object] = []
        """What was met: an address is that of one object only while this lives."""

    def value(self, value: Any) -> Any:
        """Return what stands for a value."""
        if type(value) in _ATOMS:
            return value
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self.nodes)
            self._kept.append(value)
            node: Node = []
            self.nodes.append(node)
            node.extend(self._node(value))
        return [number]

    def _node(self, value: Any) -> Iterable[Any]:
        for number, given in enumerate(self._given):
            if value is given:
                return [Sort.GIVEN, number]
        return _PACKING.get(type(value), _Packer._other)(self, value)

    def values(self, values: Iterable[Any]) -> Iterator[Any]:
        """Return what stands for each."""
        return map(self.value, values)

    def _table(self, value: np.ndarray[Any, Any]) -> Node:
        kind = value.dtype
        if kind.fields is not None:  # what is between the fields is whatever the memory had
            value = value.astype([(name, kind.fields[name][0]) for name in kind.names or ()])
        return [Sort.TABLE, type_text(kind), value.shape, *self._blob(value.tobytes())]

    def _other(self, value: Any) -> Node:
        kind = type(value)
        if isinstance(value, Enum):
            return [Sort.MEMBER, self._class(kind, ()), value.value]
        if isinstance(value, np.generic):
            return [Sort.SCALAR, value.dtype.str, *self._blob(value.tobytes())]
        if isinstance(value, list | tuple | dict | set | frozenset | str | bytes | int | float):
            raise TypeError(f"a {kind.__qualname__} would lose what it has beyond its base")
        if kind not in self._slots:
            self._slots[kind] = _slots(kind)
        names = tuple(name for name in self._slots[kind] if hasattr(value, name))
        names += tuple(getattr(value, "__dict__", ()))
        return [Sort.OBJECT, self._class(kind, names), *self.values(getattr(value, name) for name in names)]

    def _class(self, kind: type, names: Names) -> int:
        return self.classes.setdefault((kind.__module__, kind.__qualname__, names), len(self.classes))

    def _blob(self, data: bytes) -> tuple[int, int]:
        self.blobs.append(data)
        self._blob_bytes += len(data)
        return self._blob_bytes - len(data), len(data)


_PACKING: dict[type, Callable[[_Packer, Any], Iterable[Any]]] = {
    tuple: lambda packer, value: [Sort.TUPLE, *packer.values(value)],
    list: lambda packer, value: [Sort.LIST, *packer.values(value)],
    set: lambda packer, value: [Sort.SET, *packer.values(value)],
    frozenset: lambda packer, value: [Sort.FROZENSET, *packer.values(value)],
    dict: lambda packer, value: [Sort.DICT, *packer.values(one for item in value.items() for one in item)],
    deque: lambda packer, value: [Sort.DEQUE, value.maxlen, *packer.values(value)],
    bytes: lambda packer, value: [Sort.BYTES, *packer._blob(value)],
    array: lambda packer, value: [Sort.ARRAY, value.typecode, *packer._blob(value.tobytes())],
    np.ndarray: _Packer._table,
}


def _slots(kind: type) -> tuple[str, ...]:
    """Return the names of an object's slots."""
    of_each = (one.__dict__.get("__slots__", ()) for one in reversed(kind.__mro__))
    names = (name for slots in of_each for name in ((slots,) if isinstance(slots, str) else slots))
    return tuple(name for name in names if not name.startswith("__"))
