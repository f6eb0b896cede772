"""Tables as compressed blobs: column by column, each as narrow as its values allow.

Numbers of one column resemble one another. Times are stored as differences, every column as distance from its
smallest value in 0, 1, 2, 4 or 8 bytes, and zlib finds what is left. README.md has the figures.

    blob    = zlib(column*)            columns in the order of the layout; a later blob of a table is
                                       compressed with the content of the first one as dictionary
    column  = u8 width, u8 delta, u64 smallest, u64 first, values x width bytes    (all little-endian)
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.vocab.rows import Rows

LEVEL = 1
"""Of zlib: the narrowing has done most of the work already."""

SMALL_LEVEL, SMALL_BYTES = 6, 1 << 14
"""What is small, as most is of a calm service, may cost more time a byte."""

DICTIONARY_BYTES = 1 << 15
"""What zlib can look back: the first blob of a table, up to this, is the dictionary of the later ones."""

LIMIT_BYTES = 1 << 28
"""No blob becomes larger than this when it is read: a hostile file must not fill the memory."""

_HEAD = struct.Struct("<BBQQ")
_NUMBER = re.compile("[<>|][biuf][1248]")

Words: TypeAlias = npt.NDArray[np.uint64]
Layout: TypeAlias = list[tuple[str, str, int]]
"""Name, numpy type and count of each column."""


class BadBlob(ValueError):
    """A blob is not what its table says."""


def layout(dtype: np.dtype[np.void]) -> Layout:
    """Return the columns of a dtype."""
    return [(name, dtype[name].base.str, int(np.prod(dtype[name].shape))) for name in dtype.names or ()]


def layout_text(dtype: np.dtype[np.void]) -> str:
    """Return a layout as it stands in the file."""
    return json.dumps(layout(dtype))


def raw(rows: Rows) -> bytes:
    """Return rows as the content of a blob."""
    names = rows.dtype.names or ()
    return b"".join(packed_numbers(rows[name], delta=name.endswith("_ns")) for name in names)


def deflated(content: bytes, dictionary: bytes = b"") -> bytes:
    """Return content as a blob."""
    level = SMALL_LEVEL if len(content) < SMALL_BYTES else LEVEL
    machine = zlib.compressobj(level, zdict=dictionary) if dictionary else zlib.compressobj(level)
    return machine.compress(content) + machine.flush()


def packed(rows: Rows) -> bytes:
    """Return rows as a blob that needs no dictionary."""
    return deflated(raw(rows))


def unpacked(
    blob: bytes, count: int, stored: Layout, dtype: np.dtype[np.void], dictionary: bytes = b""
) -> Rows:
    """Return the rows of a blob; columns that the dtype has no more are dropped, new ones are 0."""
    if count * dtype.itemsize > LIMIT_BYTES:  # columns of no width take no room in the file
        raise BadBlob("too many rows")
    size = sum(most_bytes(count * number) for _, _, number in stored)
    data = inflated(blob, size, dictionary)
    rows = np.zeros(count, dtype)
    at = 0
    for name, kind, number in stored:
        words, at = _unpacked_column(data, at, count * number)
        if name in (dtype.names or ()):
            rows[name] = words.astype(kind).reshape(rows[name].shape)
    if at != len(data):
        raise BadBlob("bytes left over")
    return rows


def inflated(blob: bytes, limit: int, dictionary: bytes = b"") -> bytes:
    """Decompress a blob that may not become larger than `limit` bytes."""
    if not 0 <= limit <= LIMIT_BYTES:
        raise BadBlob("too many rows")
    machine = zlib.decompressobj(zdict=dictionary) if dictionary else zlib.decompressobj()
    try:
        data = machine.decompress(blob, limit + 1)
    except zlib.error as error:
        raise BadBlob(str(error)) from error
    if len(data) > limit or not machine.eof:
        raise BadBlob("too long, or cut off")
    return data


def packed_numbers(numbers: npt.NDArray[np.integer], *, delta: bool) -> bytes:
    """Return numbers as a column; all arithmetic is modulo 2**64, so every one comes back."""
    words = numbers.ravel().astype(np.int64).view(np.uint64)
    first = int(words[0]) if len(words) else 0
    if delta:
        words = _differences(words)
    smallest = words.view(np.int64).min(initial=np.iinfo(np.int64).max).view(np.uint64)
    words = words - smallest
    width = _width(int(words.max(initial=0)))
    body = words.astype(f"<u{width}").tobytes() if width else b""
    return _HEAD.pack(width, delta, int(smallest), first) + body


def unpacked_numbers(data: bytes, count: int) -> npt.NDArray[np.int64]:
    """Undo `packed_numbers`."""
    numbers, end = _unpacked_column(data, 0, count)
    if end != len(data):
        raise BadBlob("bytes left over")
    return numbers


def most_bytes(count: int) -> int:
    """Return what so many numbers take at most, before they are compressed."""
    return _HEAD.size + 8 * count


def _unpacked_column(data: bytes, at: int, count: int) -> tuple[npt.NDArray[np.int64], int]:
    if at + _HEAD.size > len(data):
        raise BadBlob("cut off")
    width, delta, smallest, first = _HEAD.unpack_from(data, at)
    at += _HEAD.size
    end = at + width * count
    if width not in (0, 1, 2, 4, 8) or end > len(data):
        raise BadBlob("cut off")
    words = np.zeros(count, np.uint64)
    if width:
        words += np.frombuffer(data, f"<u{width}", count, at)
    words += np.uint64(smallest)
    if delta and count:
        words = np.cumsum(words) - words[0] + np.uint64(first)
    return words.view(np.int64), end


def _differences(words: Words) -> Words:
    """Return the distance of each number from the one before; the first one's is of no account."""
    differences = np.diff(words, prepend=words[:1])
    if len(words) > 1:
        differences[0] = differences[1]
    return differences


def _width(largest: int) -> int:
    """Return the bytes that a number needs, as a width there is."""
    for width in (0, 1, 2, 4):
        if largest < 1 << 8 * width:
            return width
    return 8


def type_text(dtype: np.dtype[Any]) -> Any:
    """Return a type as JSON can hold it: its name, or its size and of each field name, place, type, shape."""
    if dtype.fields is None:
        return dtype.str
    places = ((name, *found[:2]) for name, found in dtype.fields.items())
    return [dtype.itemsize, [(name, at, field.base.str, field.shape) for name, field, at in places]]


def type_of(text: Any) -> np.dtype[Any]:
    """Undo `type_text`; numpy itself looks to it that no field is beyond the end."""
    dtype: np.dtype[Any]
    if type(text) is list:
        size, fields = text
        names, offsets, bases, shapes = map(list, zip(*fields, strict=True))
        formats = [(_number(base), tuple(shape)) for base, shape in zip(bases, shapes, strict=True)]
        dtype = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})
    else:
        dtype = np.dtype(_number(text))
    return dtype


def _number(text: Any) -> str:
    """Return the name of a type of numbers if it is one: a table of objects would be one of addresses."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise BadBlob(f"no type of numbers: {text!r}")
    return text
