"""Any objects come back as they were; hostile bytes make nothing but BadBlob."""

from __future__ import annotations

import json
import math
import random
import struct
from array import array
from collections import Counter, deque
from typing import Any

import numpy as np
import pytest

from memprobe.ledger.growth import Total
from memprobe.recording.columns import BadBlob
from memprobe.recording.nodes import Sort
from memprobe.recording.packing import packed_object
from memprobe.recording.unpacking import unpacked_object
from memprobe.vocab.rows import BIRTH, SAMPLE
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import What


def is_vocab(module: str) -> bool:
    return module.startswith("memprobe.vocab.")


def again(value: Any) -> Any:
    return unpacked_object(packed_object(value), is_vocab)


def packed(nodes: list[Any], classes: list[Any] | None = None, blobs: bytes = b"") -> bytes:
    """What somebody else may have written."""
    head = json.dumps({"classes": classes or [], "nodes": nodes}).encode()
    return struct.pack("<I", len(head)) + head + blobs


def test_plain_values_come_back_as_they_were() -> None:
    value = {
        "numbers": [0, -1, 1 << 70, 1.5, math.inf, True, None],
        "texts": ("", "\ud800", '"\x00', b"\xff\x00"),
        ("a", 1): {frozenset({1, 2}): {3}},
        "array": array("d", [0.1, 2.5]),
    }
    found = again(value)
    assert found == value
    assert [type(one) for one in found["numbers"]] == [type(one) for one in value["numbers"]]
    ring = again(deque([1, 2], maxlen=2))
    assert (list(ring), ring.maxlen) == ([1, 2], 2)
    assert math.isnan(again([math.nan])[0])


@pytest.mark.parametrize("dtype", [np.dtype("<u8"), np.dtype("?"), BIRTH, SAMPLE])
def test_tables_come_back_and_can_be_changed(dtype: np.dtype[Any]) -> None:
    noise = np.random.default_rng(1).integers(0, 2, 12 * dtype.itemsize, np.uint8).tobytes()
    table = np.frombuffer(noise, dtype).reshape(3, 4)
    for value in (table, table[::2, 1:], table[:0]):
        found = again(value)
        assert found.dtype == value.dtype
        assert found.shape == value.shape
        assert np.array_equal(found, value)
        found[...] = np.zeros((), dtype)
    number = again(np.uint64(1 << 63))
    assert (number, type(number)) == (1 << 63, np.uint64)


def test_what_is_shared_stays_shared_and_may_hold_itself() -> None:
    own: list[Any] = []
    own.append(own)
    stack = Stack((Frame("work", "app.py", 3),), complete=True)
    found = again({"one": own, "two": own, What.TYPE: stack, "same": stack})
    assert found["one"] is found["two"] is found["one"][0]
    assert found[What.TYPE] == stack
    assert found["same"] is found[What.TYPE]


def test_what_both_have_is_not_in_the_bytes() -> None:
    secret, other = ["secret"], ["other"]
    data = packed_object([secret, 1], secret)
    assert b"secret" not in data
    assert unpacked_object(data, is_vocab, other)[0] is other
    with pytest.raises(BadBlob):
        unpacked_object(data, is_vocab)


def test_what_would_not_come_back_is_refused() -> None:
    with pytest.raises(TypeError):
        packed_object(Counter("abc"))


def test_classes_are_of_the_modules_that_the_reader_names() -> None:
    data = packed_object([Total()])
    assert unpacked_object(data, lambda module: module == "memprobe.ledger.growth") == [Total()]
    with pytest.raises(BadBlob, match=r"memprobe\.ledger\.growth"):
        unpacked_object(data, is_vocab)


FRAME = ["memprobe.vocab.stack", "Frame", ["function"]]
HOSTILE = {
    "no bytes": b"",
    "no end": struct.pack("<I", 1 << 31) + b"{}",
    "no root": packed([]),
    "no such sort": packed([[99]]),
    "no such node": packed([[Sort.LIST, [7]]]),
    "a tuple within itself": packed([[Sort.TUPLE, [0]]]),
    "a set of lists": packed([[Sort.SET, [1]], [Sort.LIST]]),
    "deep": packed([[Sort.TUPLE, [number + 1]] for number in range(100_000)] + [[Sort.TUPLE]]),
    "a blob beyond the end": packed([[Sort.BYTES, 0, 1 << 40]]),
    "a blob before the begin": packed([[Sort.BYTES, -3, 3]], blobs=b"abcdef"),
    "objects in a table": packed([[Sort.TABLE, "|O", [1], 0, 8]], blobs=bytes(8)),
    "a table that is larger": packed([[Sort.TABLE, "<u8", [1 << 40], 0, 8]], blobs=bytes(8)),
    "a module of others": packed([[Sort.OBJECT, 0]], [["os", "system", []]]),
    "what a module has imported": packed([[Sort.OBJECT, 0]], [["memprobe.vocab.stack", "dataclass", []]]),
    "a name with a dot": packed([[Sort.OBJECT, 0]], [["memprobe.vocab.stack", "Frame.__init__", []]]),
    "the class itself": packed([[Sort.OBJECT, 0, 1]], [[*FRAME[:2], ["__class__"]]]),
    "an attribute that it has not": packed([[Sort.OBJECT, 0, 1]], [[*FRAME[:2], ["shell"]]]),
    "a member of no enum": packed([[Sort.MEMBER, 0, 1]], [FRAME]),
    "a long head": struct.pack("<I", 1 << 25) + b" " * (1 << 25),
    "a blob of many nodes": packed(
        [[Sort.LIST, *([number] for number in range(1, 600))], *[[Sort.BYTES, 0, 1 << 20]] * 600],
        blobs=bytes(1 << 20),
    ),
    "rows far apart": packed(
        [[Sort.TABLE, [1 << 20, [["a", 0, "<u1", []]]], [1 << 10], 0, 1 << 10]], blobs=bytes(1 << 10)
    ),
}


@pytest.mark.parametrize("sort", [Sort.SET, Sort.FROZENSET, Sort.DICT])
def test_what_would_be_hashed_without_end_is_refused(sort: Sort) -> None:
    doubled = [[Sort.TUPLE, [number], [number]] for number in range(2, 62)]
    with pytest.raises(BadBlob, match="too much to hash"):
        unpacked_object(packed([[sort, [1], 1], *doubled, [Sort.TUPLE]]), is_vocab)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    with pytest.raises(BadBlob):
        unpacked_object(HOSTILE[name], is_vocab)


def test_changed_bytes_make_something_else_or_nothing() -> None:
    chance = random.Random(1)
    stack = Stack((Frame("work", "app.py", 3),), complete=True)
    data = packed_object({"a": [1, stack], "b": np.zeros(3, BIRTH), "c": {1, 2}, "d": array("q", [1])})
    for _ in range(2000):
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            unpacked_object(bytes(changed), is_vocab)
        except BadBlob:
            continue
