"""Bursts on what changes containers: when they are made, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from memprobe.blame import mutations
from memprobe.blame.mutations import SHORTEST_PAUSE_NS, Mutations
from memprobe.blame.telling import Told
from memprobe.errors import NoKernelSupport
from memprobe.heap.looker.lengths import Size
from memprobe.vocab.bursts import Change, Looked, Mutated, Window

PID, KEY, OTHER = 7, (7, 3), (7, 4)
SECOND = 1_000_000_000
STACK = 5


@dataclass
class Faked:
    """Mutators that see what a test says."""

    changes: tuple[Change, ...] = (Change(STACK, 4, 1, 5),)
    cost_ns: int = 0
    entries: int = 100
    refused: str = ""
    pid: int = PID
    most: int = 64
    reasons: dict[int, str] = field(default_factory=dict)
    asked: list[tuple[Looked, ...]] = field(default_factory=list)
    now_ns: int = SECOND

    def window(self, containers: Sequence[Looked], longest_s: float, limit: int) -> Window:
        if self.refused:
            raise NoKernelSupport(self.refused)
        self.asked.append(tuple(containers))
        begin_ns, self.now_ns = self.now_ns, self.now_ns + SECOND // 4
        seen = tuple(Mutated(5, self.entries, self.changes) for _ in containers)
        return Window(begin_ns, self.now_ns, self.cost_ns, seen)


def made(faked: Faked, sizes: dict[tuple[int, int], Size]) -> Mutations:
    return Mutations(faked, lambda *key: sizes.get(key), seed=0)


def test_the_first_burst_speaks_for_itself_and_others_for_the_time_since() -> None:
    faked, told = Faked(), Told()
    bursts = made(faked, {KEY: Size(0x1010, 100, 0x20)})
    bursts.step([KEY], 1.0, SECOND, told)
    faked.now_ns, faked.entries = 3 * SECOND, 150
    bursts.step([KEY], 1.0, 3 * SECOND, told)
    first, second = told.watches
    begin_ns, end_ns = SECOND, SECOND + SECOND // 4
    assert first == (begin_ns, end_ns, 3, PID, 5, SECOND // 4, SECOND // 4, 100, 100)
    assert second == (end_ns, 3 * SECOND + SECOND // 4, 3, PID, 5, SECOND // 4, 2 * SECOND, 100, 150)
    assert told.changes == [(begin_ns, 3, STACK, PID, 5, 4, 1), (end_ns, 3, STACK, PID, 5, 4, 1)]


def test_a_burst_does_not_speak_for_the_time_in_which_nobody_wanted_to_know() -> None:
    faked, told = Faked(), Told()
    bursts = made(faked, {KEY: Size(0x1010, 100, 0x20)})
    bursts.step([KEY], 1.0, SECOND, told)
    bursts.step([OTHER], 1.0, 60 * SECOND, told)
    faked.now_ns = 3600 * SECOND
    bursts.step([KEY], 1.0, 3600 * SECOND, told)
    assert [row[6] for row in told.watches] == [SECOND // 4, SECOND // 4]


def test_a_burst_waits_until_the_one_before_is_paid() -> None:
    faked, told = Faked(cost_ns=10_000_000), Told()
    bursts = made(faked, {KEY: Size(0x1010, 100, 0x20)})
    bursts.step([KEY], 1.0, SECOND, told)
    ended_ns = faked.now_ns
    bursts.step([KEY], 1.0, ended_ns + SECOND // 2 - 1, told)
    assert len(faked.asked) == 1, "10 ms are 1 % of one second; half of it is the least, by chance"
    bursts.step([KEY], 1.0, ended_ns + 3 * SECOND // 2, told)
    assert len(faked.asked) == 2
    faked.cost_ns = 0
    bursts.step([KEY], 1.0, faked.now_ns + 5 * SECOND, told)
    bursts.step([KEY], 1.0, faked.now_ns + SHORTEST_PAUSE_NS // 2 - 1, told)
    assert len(faked.asked) == 3, "however cheap, there is a pause"


def test_what_has_gone_or_moved_meanwhile_is_not_told() -> None:
    faked, told, sizes = Faked(), Told(), {KEY: Size(0x1010, 1, 0x20), OTHER: Size(0x3010, 1, 0x20)}
    seen_by = Faked.window

    def moving(self: Faked, containers: Sequence[Looked], longest_s: float, limit: int) -> Window:
        sizes[KEY] = Size(0x9010, 1, 0x20)
        return seen_by(self, containers, longest_s, limit)

    faked.window = moving.__get__(faked)  # type: ignore[method-assign]
    made(faked, sizes).step([KEY, OTHER, (PID + 1, 3)], 1.0, SECOND, told)
    assert faked.asked == [(Looked(0x20, 0x1010), Looked(0x20, 0x3010))]
    assert [row[2] for row in told.watches] == [OTHER[1]]


@pytest.mark.parametrize("wanted", [[], [KEY]])
def test_nothing_is_done_for_nobody_nor_after_a_refusal(wanted: list[tuple[int, int]]) -> None:
    faked, told = Faked(refused="the kernel refuses an uprobe"), Told()
    bursts = made(faked, {KEY: Size(0x1010, 100, 0x20)})
    bursts.step(wanted, 1.0, SECOND, told)
    faked.refused = "" if wanted else faked.refused
    bursts.step([], 1.0, SECOND, told)
    bursts.step(wanted, 1.0, SECOND, told)
    assert (faked.asked, told.watches) == ([], [])
    assert bool(bursts.reason) == bool(wanted)


def test_why_some_are_not_seen_is_said() -> None:
    faked = Faked(reasons={0x20: "uprobes need x86-64"})
    assert made(faked, {}).reason == mutations.NOT_KNOWN.format(reason="uprobes need x86-64")
