"""Lengths that are read again, of memory that is made up."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from memprobe.heap.looker.lengths import STILL_NS, Lengths
from memprobe.target.memory.fake import FakeMemory

LIST, SLOT, ANCHOR, TABLE, KIND = 0x1000, 0x2000, 0x3000, 0x2F00, 0x5550
PLACE = ["jobs", LIST, KIND, 16, SLOT, ANCHOR, TABLE]


class Heap:
    """One list, the word that refers to it, and the word that says where that word is."""

    def __init__(self) -> None:
        self.memory = FakeMemory({LIST: bytes(32), SLOT: bytes(8), ANCHOR: bytes(8)})
        self.write(LIST, 1, KIND, 5, 0)
        self.write(SLOT, LIST | 1)
        self.write(ANCHOR, TABLE)

    def write(self, address: int, *words: int) -> None:
        self.memory.write(address, struct.pack(f"<{len(words)}Q", *words))

    def lengths(self, *places: list[Any]) -> Lengths:
        return Lengths(self.memory, [0, 8], places or (PLACE,))


def test_a_length_is_read_again() -> None:
    heap = Heap()
    lengths = heap.lengths()
    assert list(lengths.read(1)) == [("jobs", 5, 1)]
    heap.write(LIST + 16, 7)
    assert list(lengths.read(2)) == [("jobs", 7, 2)]


@pytest.mark.parametrize(
    ("address", "word"),
    [
        (LIST, 0),  # its reference count
        (LIST + 8, KIND + 16),
        (LIST + 16, 1 << 63),
        (SLOT, LIST + 16),
        (ANCHOR, TABLE + 64),
    ],
)
def test_what_is_not_the_same_any_more_is_not_read_again(address: int, word: int) -> None:
    heap = Heap()
    other = ["others", LIST + 0x100, KIND, 16, 0, 0, 0]
    heap.memory.add(LIST + 0x100, struct.pack("<4Q", 1, KIND, 9, 0))
    lengths = heap.lengths(PLACE, other)
    assert len(list(lengths.read(1))) == 2
    heap.write(address, word)
    heap.write(LIST + 0x110, 10)
    assert list(lengths.read(2)) == [("others", 10, 2)]
    heap.write(LIST, 1, KIND, 5, 0)
    heap.write(SLOT, LIST)
    heap.write(ANCHOR, TABLE)
    assert list(lengths.read(3)) == [("others", 10, 3)]


def test_memory_that_is_gone() -> None:
    heap = Heap()
    lengths = heap.lengths(["elsewhere", 0x999000, KIND, 16, 0, 0, 0], PLACE)
    assert list(lengths.read(1)) == [("jobs", 5, 1)]
    heap.memory.fault(LIST, 8)
    assert list(lengths.read(2)) == []


def test_what_stands_still_is_told_seldom_and_right_before_it_changes() -> None:
    heap = Heap()
    lengths = heap.lengths()
    second = STILL_NS // 10
    told = [entry for turn in range(1, 26) for entry in lengths.read(turn * second)]
    assert [time_ns // second for _, _, time_ns in told] == [1]
    heap.write(LIST + 16, 8)
    assert list(lengths.read(26 * second)) == [("jobs", 5, 25 * second), ("jobs", 8, 26 * second)]
    told = [entry for turn in range(27, 90) for entry in lengths.read(turn * second)]
    assert [time_ns // second for _, _, time_ns in told] == [*range(27, 36), 65]


def test_collections_of_one_key_are_one_thing() -> None:
    heap, second = Heap(), LIST + 0x100
    heap.memory.add(second, struct.pack("<4Q", 1, KIND, 9, 0))
    lengths = heap.lengths(PLACE, ["jobs", second, KIND, 16, 0, 0, 0], ["alone", second, KIND, 16, 0, 0, 0])
    assert list(lengths.read(1)) == [("jobs", 14, 1), ("alone", 9, 1)]
    heap.write(SLOT, 0)
    heap.write(second + 16, 10)
    assert list(lengths.read(2)) == [("alone", 10, 2)]
