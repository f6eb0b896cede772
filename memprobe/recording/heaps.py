"""A whole heap in the file: texts as JSON, arrays in parts of a million numbers, all of it compressed.

Who takes a heap does so in a process of its own, which spills the parts into a file that has no name; who
writes the recording puts them into the database from there. Neither ever has all of it in memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.recording.columns import (
    LEVEL,
    BadBlob,
    deflated,
    inflated,
    most_bytes,
    packed_numbers,
    unpacked_numbers,
)
from memprobe.recording.damage import BROKEN
from memprobe.vocab.kept_heap import KeptHeap

AT_ONCE = 1 << 20
"""Numbers in one part."""

MOST_STORED = 1 << 28
"""Of a heap that takes more in the file, only the texts are kept."""

MOST_BYTES = 1 << 30
"""No heap has arrays that are larger together; a file that says so is broken or hostile."""

MOST_TEXT = 1 << 25
"""A text that is longer is left out."""

MOST_PARTS = 1 << 12

SCHEMA = """
CREATE TABLE heap (
    name TEXT NOT NULL, part INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (name, part)
);
"""
HEAP_PARTS = f"SELECT name, part, kind, count FROM heap ORDER BY name, part LIMIT {MOST_PARTS}"

TEXT, NUMBERS = "json", {f"<u{width}": width for width in (1, 2, 4, 8)}
"""What a part can be, and how many bytes a number has."""

Piece: TypeAlias = tuple[str, int, str, int, int]
"""A part that was spilled: name, part, kind, numbers or characters, and bytes."""

Head: TypeAlias = tuple[Any, ...]
"""Of a part that is stored: part, kind, count, as the file has them."""

Array: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]


def spill(kept: KeptHeap, content: IO[bytes]) -> list[Piece]:
    """Write a heap into a file; return what is in it, in order."""
    pieces = list(_texts(kept, content))
    stored = content.tell()
    arrays: list[Piece] = []
    if sum(array.nbytes for array in kept.arrays.values()) > MOST_BYTES:
        return pieces
    for name, array in kept.arrays.items():
        for piece in _parts(name, array, content):
            stored += piece[-1]
            if stored > MOST_STORED:
                return pieces
            arrays.append(piece)
    return pieces + arrays


def add_heap(database: sqlite3.Connection, pieces: Sequence[Piece], content: IO[bytes]) -> None:
    """Store what was spilled, in the place of what there was."""
    content.seek(0, os.SEEK_SET)
    database.execute("DELETE FROM heap")
    for name, part, kind, count, size in pieces:
        row = (name, part, kind, count, content.read(size))
        database.execute("INSERT INTO heap VALUES (?, ?, ?, ?, ?)", row)


def stored_heap(heads: Iterator[tuple[Any, ...]], read: Callable[[str, int], bytes]) -> KeptHeap | None:
    """Return a heap as far as it is intact; `heads` are the rows of HEAP_PARTS, `read` gives a blob."""
    lost: list[str] = []
    texts: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    left = MOST_BYTES
    for name, parts in _by_name(heads, lost).items():
        try:
            if parts[0][1] == TEXT:
                texts[name] = json.loads(inflated(read(name, 0), min(int(parts[0][2]), MOST_TEXT)))
            else:
                left -= _bytes(parts, left)
                arrays[name] = _array(parts, partial(read, name))
        except BROKEN:
            lost.append(name)
    return KeptHeap(texts, arrays, tuple(lost)) if texts or arrays or lost else None


def _texts(kept: KeptHeap, content: IO[bytes]) -> Iterator[Piece]:
    for name, value in kept.texts.items():
        text = json.dumps(value).encode()
        if len(text) <= MOST_TEXT:
            yield name, 0, TEXT, len(text), content.write(zlib.compress(text, LEVEL))


def _parts(name: str, array: Array, content: IO[bytes]) -> Iterator[Piece]:
    kind = f"<u{array.dtype.itemsize}"
    for part, start in enumerate(range(0, max(len(array), 1), AT_ONCE)):
        numbers = array[start : start + AT_ONCE]
        rises = bool((numbers[1:] >= numbers[:-1]).mean() > 0.9) if len(numbers) > 1 else False
        blob = deflated(packed_numbers(numbers, delta=rises))
        yield name, part, kind, len(numbers), content.write(blob)


def _by_name(heads: Iterator[tuple[Any, ...]], lost: list[str]) -> dict[str, list[Head]]:
    """Return the parts by name, as far as their list can be read."""
    found: dict[str, list[Head]] = {}
    try:
        for name, *head in heads:
            found.setdefault(str(name), []).append(tuple(head))
    except BROKEN:
        lost.append("the list of its parts")
    return found


def _bytes(parts: Sequence[Head], left: int) -> int:
    """Return what an array takes in memory; raise BadBlob for one that is none, or larger than is left."""
    numbers, kinds = [part for part, _, _ in parts], {kind for _, kind, _ in parts}
    if numbers != list(range(len(parts))) or len(kinds) != 1 or not kinds <= NUMBERS.keys():
        raise BadBlob(f"no parts of one array: {numbers} of {kinds}")
    if not all(0 <= int(count) <= AT_ONCE for _, _, count in parts):
        raise BadBlob("a part of that many numbers")
    size = NUMBERS[kinds.pop()] * sum(int(count) for _, _, count in parts)
    if size > left:
        raise BadBlob("too many numbers")
    return size


def _array(parts: Sequence[Head], read: Callable[[int], bytes]) -> Array:
    array: Array = np.empty(sum(int(count) for _, _, count in parts), np.dtype(parts[0][1]))
    at = 0
    for part, kind, count in parts:
        numbers = unpacked_numbers(inflated(read(part), most_bytes(int(count))), int(count))
        array[at : at + int(count)] = numbers.astype(kind)
        at += int(count)
    return array
