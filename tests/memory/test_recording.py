"""A memory that keeps what was looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.holding import HOLE, PAGE, Holder, pattern
from memprobe.errors import ReadFault
from memprobe.target.memory.fake import FakeMemory
from memprobe.target.memory.image import ImageMemory
from memprobe.target.memory.live import LiveMemory
from memprobe.target.memory.recording import RecordingMemory
from memprobe.vocab import Memory

BASE = 0x10000
CONTENT = bytes(i * 7 & 255 for i in range(4 * PAGE))


def saved(recording: RecordingMemory, folder: Path) -> ImageMemory:
    recording.save(folder / "image", {"facts": 1})
    return ImageMemory.open(folder / "image")


def test_a_live_process_can_be_looked_at_again(tmp_path: Path) -> None:
    with Holder() as holder, LiveMemory(holder.id, holder.pidfd) as live:
        recording = RecordingMemory(live)
        assert isinstance(recording, Memory)
        edge = holder.base + HOLE * PAGE
        regions = [(holder.base + 10, 2 * PAGE), (edge - 5, 10), (edge, 3)]
        many = recording.read_many(regions)
        assert many == [pattern(10, 2 * PAGE), pattern(HOLE * PAGE - 5, 5), b""]
        one = recording.read(edge + PAGE, 8)
    with saved(recording, tmp_path) as image:
        assert image.pid == holder.pid
        assert image.read_many(regions) == many
        assert image.read(edge + PAGE, 8) == one
        assert image.size_bytes == 5 * PAGE, "pages 0, 1, 2, 7 and 9"


def test_the_later_state_of_a_page_is_kept(tmp_path: Path) -> None:
    fake = FakeMemory({BASE: CONTENT})
    fake.tear(BASE + 8, b"1", b"2", b"3")
    recording = RecordingMemory(fake)
    assert [recording.read(BASE + 8, 1) for _ in range(3)] == [b"1", b"2", b"3"]
    with saved(recording, tmp_path) as image:
        assert image.read(BASE + 8, 1) == b"3"


def test_memory_that_does_not_fill_its_pages_is_passed_through() -> None:
    recording = RecordingMemory(FakeMemory({BASE + 100: b"0123456789"}))
    assert recording.read(BASE + 102, 3) == b"234"
    assert recording.read_many([(BASE + 102, 3), (BASE + 105, 99)]) == [b"234", b"56789"]
    with pytest.raises(ReadFault):
        recording.read(BASE + 105, 99)


def test_it_stops_at_its_limit_and_says_so(tmp_path: Path) -> None:
    recording = RecordingMemory(FakeMemory({BASE: CONTENT}), limit_bytes=2 * PAGE)
    assert recording.read(BASE, PAGE + 1) == CONTENT[: PAGE + 1]
    before = recording.complete
    assert recording.read(BASE, 4 * PAGE) == CONTENT
    assert (before, recording.complete) == (True, False)
    with saved(recording, tmp_path) as image:
        assert image.size_bytes == 2 * PAGE


REGIONS = st.lists(st.tuples(st.integers(BASE - PAGE, BASE + 5 * PAGE), st.integers(0, 2 * PAGE)), max_size=8)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(regions=REGIONS)
def test_the_image_answers_as_the_memory_did(tmp_path: Path, regions: list[tuple[int, int]]) -> None:
    plain = FakeMemory({BASE: CONTENT})
    recording = RecordingMemory(FakeMemory({BASE: CONTENT}))
    buffer = memoryview(bytearray(sum(size for _, size in regions)))
    answers = plain.read_many(regions)
    assert recording.read_many(regions) == answers
    assert recording.read_into(regions, buffer) == list(map(len, answers))
    with saved(recording, tmp_path) as image:
        assert image.read_many(regions) == answers
