"""What was shed, in sentences; of a run of weeks too."""

from __future__ import annotations

from memprobe.governor.episodes import KEPT, Episodes
from memprobe.governor.ladder import ladder
from memprobe.vocab.knobs import Knob

SECOND = 1_000_000_000
RUNGS = ladder((Knob.BURSTS, Knob.HANDLE_STACKS))


def shed_and_restored(episodes: Episodes, times: int, rungs: int) -> None:
    for number in range(times):
        begin_ns = number * 100 * SECOND
        episodes.move(RUNGS, 0, rungs, begin_ns, f"number {number}")
        for left in range(rungs, 0, -1):
            episodes.move(RUNGS, left, left - 1, begin_ns + 10 * SECOND, "it is calm")


def test_each_of_a_few_is_told_with_its_times() -> None:
    episodes = Episodes()
    shed_and_restored(episodes, 2, 1)
    episodes.move(RUNGS, 0, 1, 500 * SECOND, "again")
    assert episodes.sentences(0) == (
        "Allocations were not traced in bursts from 0.0 s to 10.0 s after the attach: number 0.",
        "Allocations were not traced in bursts from 100.0 s to 110.0 s after the attach: number 1.",
        "Allocations were not traced in bursts from 500.0 s to the end after the attach: again.",
    )


def test_thousands_are_added_up_in_little_room() -> None:
    episodes = Episodes()
    shed_and_restored(episodes, 5_000, 1)
    assert len(episodes) <= KEPT
    assert episodes.sentences(0) == (
        "Allocations were not traced in bursts 5000 times, 50000 s in all: number 4999.",
    )
    episodes.move(RUNGS, 0, 1, 500_000 * SECOND, "again")
    (still,) = episodes.sentences(0)
    assert still.endswith("5001 times, 50000 s in all, and at the end: again.")


def test_what_a_cheaper_setting_covers_does_not_count_twice_however_long_it_is_ago() -> None:
    episodes = Episodes()
    shed_and_restored(episodes, 1_000, 3)  # bursts, one stack in 4, one stack in 16, together
    bursts, stacks = episodes.sentences(0)
    assert "bursts 1000 times" in bursts
    assert stacks.startswith("Only one handle in 16 got its birth stack (every birth was counted) 1000 times")
