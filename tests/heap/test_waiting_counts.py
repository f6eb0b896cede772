"""How many timers and calls of each sort wait, where too many are there to look at each."""

from __future__ import annotations

import pytest

from memprobe.heap.subjects.concurrency import CANCELLED, calls_in, timers_of
from memprobe.heap.tasks.executors import THREADS, RawExecutor
from memprobe.heap.tasks.loops import RawHandle, RawLoop


def loop(total: int | None, **described: int) -> RawLoop:
    timers = tuple(
        RawHandle(name, (), None, cancelled=name == "cancelled")
        for name, count in described.items()
        for _ in range(count)
    )
    return RawLoop(0x10, "app.Loop", 0, None, None, 0, 0.0, timers, total, (), 0)


def test_those_that_are_described_speak_for_all() -> None:
    """A leak of timers goes on growing when there are more of them than are looked at."""
    assert timers_of(loop(4, expire=3, cancelled=1)) == {"expire": 3, CANCELLED: 1}
    assert timers_of(loop(40_000, expire=3, cancelled=1)) == {"expire": 30_000, CANCELLED: 10_000}
    assert timers_of(loop(41_000, expire=3, cancelled=1))["expire"] == 30_750


def test_a_loop_that_does_not_say_how_many_has_those_that_were_seen() -> None:
    assert timers_of(loop(None)) == {}
    assert timers_of(loop(None, expire=2)) == {"expire": 2}


@pytest.mark.parametrize(
    ("queued", "work", "told"),
    [
        (7, (("app.send", 4), ("app.store", 3)), {"app.send": 4, "app.store": 3}),
        (7000, (("app.send", 4), ("app.store", 3)), {"app.send": 4000, "app.store": 3000}),
        (9, (), {}),
        (None, (("app.send", 4), ("", 1)), {"app.send": 4}),
    ],
)
def test_calls_that_wait_are_counted_by_what_they_call(
    queued: int | None, work: tuple[tuple[str, int], ...], told: dict[str, int]
) -> None:
    """If all counted as the most frequent one, they would be one's and another's by turns."""
    raw = RawExecutor(0x10, None, THREADS, None, 2, 2, None, (), queued, work, None)
    assert calls_in(raw) == told
