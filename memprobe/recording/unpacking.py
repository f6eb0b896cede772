"""Nodes (nodes.py) as the objects that they were: nothing of the file is ever called."""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from importlib import import_module
from typing import Any

import numpy as np

from memprobe.recording.columns import LIMIT_BYTES, BadBlob, type_of
from memprobe.recording.damage import BROKEN
from memprobe.recording.nodes import LENGTH, Names, Node, Sort

HEAD_BYTES = 1 << 24
"""A longer JSON is not read: it takes twenty times as much once it is."""

MOST_HASHING = 1 << 22
"""Values that all hashing together may come by: nodes that share nodes can stand for any number of them."""


def unpacked_object(data: bytes, may_be_of: Callable[[str], bool], *given: object) -> Any:
    """Undo `packed_object`; classes are taken from modules of which `may_be_of` says yes.

    Raises BadBlob if the bytes are not such objects, or not of these classes.
    """
    try:
        (length,) = LENGTH.unpack_from(data)
        if length > HEAD_BYTES:
            raise BadBlob("too long")
        head = json.loads(data[LENGTH.size : LENGTH.size + length])
        classes = [(_class(module, name, may_be_of), names) for module, name, names in head["classes"]]
        blobs = data[LENGTH.size + length :]
        return _Unpacker(head["nodes"], classes, blobs, given).node(0)
    except (*BROKEN, AttributeError, ImportError) as error:
        raise BadBlob(f"not a state: {error!r}") from error


class _Unpacker:
    """Makes every node once."""

    def __init__(
        self, nodes: list[Node], classes: list[tuple[type, Names]], blobs: bytes, given: tuple[object, ...]
    ) -> None:
        self._nodes, self._classes, self._blobs, self._given = nodes, classes, blobs, given
        self._made: dict[int, Any] = {}
        self._weights: dict[int, int] = {}
        """How many values hashing a node comes by, where that is more than one."""

        self._hashing, self._bytes = MOST_HASHING, LIMIT_BYTES
        """What may still be hashed, and be made of blobs: a blob may be that of many nodes."""

    def node(self, number: int) -> Any:
        """Return what a node is."""
        if number not in self._made:
            sort, *parts = self._nodes[number]
            self._made[number] = _UNPACKING[sort](self, number, parts)
            if sort in _HASHED_BY_PARTS:
                self._weights[number] = self._weight(parts)
        return self._made[number]

    def _value(self, value: Any) -> Any:
        if type(value) is list:
            (number,) = value
            return self.node(number)
        return value

    def _values(self, values: Iterable[Any]) -> Iterator[Any]:
        return map(self._value, values)

    def _keys(self, values: Node) -> Iterator[Any]:
        self._hashing -= self._weight(values)
        if self._hashing < 0:
            raise BadBlob("too much to hash")
        return self._values(values)

    def _weight(self, values: Node) -> int:
        """Return how many values hashing some comes by; makes them."""
        made = list(self._values(values))
        nodes = (value[0] if type(value) is list else -1 for value in values)
        weight = len(made) + sum(self._weights.get(number, 1) for number in nodes)
        if weight > MOST_HASHING:
            raise BadBlob("too much to hash")
        return weight

    # What may be a part of itself is known before its parts are.

    def _list(self, number: int, parts: Node) -> list[Any]:
        made: list[Any] = []
        self._made[number] = made
        made.extend(self._values(parts))
        return made

    def _set(self, number: int, parts: Node) -> set[Any]:
        return set(self._keys(parts))

    def _dict(self, number: int, parts: Node) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self._made[number] = made
        made.update(zip(self._keys(parts[::2]), self._values(parts[1::2]), strict=True))
        return made

    def _deque(self, number: int, parts: Node) -> deque[Any]:
        made: deque[Any] = deque(maxlen=parts[0])
        self._made[number] = made
        made.extend(self._values(parts[1:]))
        return made

    def _array(self, number: int, parts: Node) -> array[Any]:
        made: array[Any] = array(str(parts[0]))
        made.frombytes(self._blob(*parts[1:]))
        return made

    def _table(self, number: int, parts: Node) -> np.ndarray[Any, Any]:
        kind, shape, *place = parts
        dtype = type_of(kind)
        dense = dtype if dtype.names is None else np.dtype([(name, dtype[name]) for name in dtype.names])
        rows = np.frombuffer(self._blob(*place), dense).reshape(shape)
        self._spend(rows.size * dtype.itemsize)  # between the fields there may be any distance
        return rows.astype(dtype)

    def _scalar(self, number: int, parts: Node) -> Any:
        kind, *place = parts
        return np.frombuffer(self._blob(*place), type_of(kind))[0]

    def _member(self, number: int, parts: Node) -> Any:
        (kind, _), value = self._classes[parts[0]], parts[1]
        if not issubclass(kind, Enum):
            raise BadBlob(f"{kind} has no members")
        return kind(value)

    def _object(self, number: int, parts: Node) -> Any:
        kind, names = self._classes[parts[0]]
        if issubclass(kind, Enum):
            raise BadBlob(f"{kind} has no attributes")
        made = self._made[number] = object.__new__(kind)
        for name, value in zip(names, self._values(parts[1:]), strict=True):
            object.__setattr__(made, _plain(name), value)
        return made

    def _spend(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise BadBlob("too large")

    def _blob(self, offset: int, length: int) -> bytes:
        self._spend(max(length, 0))
        data = self._blobs[offset : offset + length] if offset >= 0 else b""
        if len(data) != length:
            raise BadBlob("a blob beyond the end")
        return data


_UNPACKING: dict[int, Callable[[_Unpacker, int, Node], Any]] = {
    Sort.TUPLE: lambda unpacker, number, parts: tuple(unpacker._values(parts)),
    Sort.LIST: _Unpacker._list,
    Sort.SET: _Unpacker._set,
    Sort.FROZENSET: lambda unpacker, number, parts: frozenset(unpacker._keys(parts)),
    Sort.DICT: _Unpacker._dict,
    Sort.DEQUE: _Unpacker._deque,
    Sort.BYTES: lambda unpacker, number, parts: unpacker._blob(*parts),
    Sort.ARRAY: _Unpacker._array,
    Sort.TABLE: _Unpacker._table,
    Sort.SCALAR: _Unpacker._scalar,
    Sort.MEMBER: _Unpacker._member,
    Sort.OBJECT: _Unpacker._object,
    Sort.GIVEN: lambda unpacker, number, parts: unpacker._given[parts[0]],
}

_HASHED_BY_PARTS = frozenset({Sort.TUPLE, Sort.FROZENSET, Sort.OBJECT})


def _class(module: str, name: str, may_be_of: Callable[[str], bool]) -> type:
    if not may_be_of(module):
        raise BadBlob(f"a class of {module}")
    found = getattr(import_module(module), name)
    if not isinstance(found, type) or found.__module__ != module:
        raise BadBlob(f"{module}.{name} is no class of that module")
    return found


def _plain(name: str) -> str:
    if name.startswith("__"):
        raise BadBlob(f"the attribute {name}")
    return name
