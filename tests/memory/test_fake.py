"""The memory that tests make up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.errors import ReadFault
from memprobe.target.memory.fake import FakeMemory
from memprobe.vocab import Memory


def test_it_is_a_memory() -> None:
    memory = FakeMemory({}, pid=9)
    assert isinstance(memory, Memory)
    assert memory.pid == 9


def test_reads_run_on_from_segment_to_segment() -> None:
    memory = FakeMemory({104: b"efgh", 100: b"abcd", 200: b"z"})
    assert memory.read(102, 4) == b"cdef"
    assert memory.read_many([(106, 9), (99, 2), (200, 1)]) == [b"gh", b"", b"z"]
    buffer = memoryview(bytearray(b"." * 7))
    assert memory.read_into([(106, 4), (200, 3)], buffer) == [2, 1]
    assert bytes(buffer) == b"gh..z.."
    with pytest.raises(ReadFault) as caught:
        memory.read(106, 3)
    assert (caught.value.address, caught.value.size) == (106, 3)


def test_it_knows_what_it_was_asked() -> None:
    memory = FakeMemory({0: b"abc"})
    memory.read(1, 2)
    memory.read_many([(0, 1), (2, 9)])
    assert memory.reads == [(1, 2), (0, 1), (2, 9)]


def test_it_can_change() -> None:
    memory = FakeMemory({0: b"abc", 3: b"def"})
    memory.write(2, b"XY")
    assert memory.read(0, 6) == b"abXYef"
    with pytest.raises(ValueError, match="nothing is mapped"):
        memory.write(5, b"12")


def test_it_can_tear() -> None:
    memory = FakeMemory({0: b"abcdef"})
    memory.tear(2, b"1", b"2")
    assert memory.read(0, 2) == b"ab", "this read does not touch it"
    assert [memory.read(0, 6) for _ in range(3)] == [b"ab1def", b"ab2def", b"ab2def"]


def test_it_can_fault() -> None:
    memory = FakeMemory({0: b"abcdef"})
    memory.fault(2, 2)
    assert memory.read(0, 2) == b"ab"
    assert memory.read(4, 2) == b"ef"
    assert memory.read_many([(0, 6), (2, 1), (3, 3), (4, 9)]) == [b"ab", b"", b"", b"ef"]


def test_segments_may_touch_but_not_overlap() -> None:
    memory = FakeMemory({10: b"abc"})
    memory.add(13, b"d")
    memory.add(9, b"-")
    for address, content in ((8, b"xx"), (10, b"x"), (12, b"xx"), (13, b"x"), (0, bytes(99))):
        with pytest.raises(ValueError, match="overlaps"):
            memory.add(address, content)
    assert memory.read(9, 5) == b"-abcd"


@given(st.dictionaries(st.integers(0, 30).map(lambda n: n * 8), st.binary(min_size=1, max_size=8)), st.data())
def test_it_is_like_a_map_of_bytes(segments: dict[int, bytes], data: st.DataObject) -> None:
    model = {address + i: byte for address, content in segments.items() for i, byte in enumerate(content)}
    address, size = data.draw(st.integers(0, 260)), data.draw(st.integers(0, 60))
    expected = bytearray()
    while len(expected) < size and address + len(expected) in model:
        expected.append(model[address + len(expected)])
    assert FakeMemory(segments).read_many([(address, size)]) == [bytes(expected)]
