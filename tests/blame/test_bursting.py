"""The source of blame that only makes bursts: what it asks for, what it tells, and when it is silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memprobe.blame.bursting import IN_BURSTS, BurstSource
from memprobe.blame.mutations import SHORTEST_PAUSE_NS, Mutations
from memprobe.blame.telling import Told
from memprobe.errors import NoKernelSupport
from memprobe.heap.looker.lengths import Size
from memprobe.vocab.batch import Batch
from memprobe.vocab.bursts import Change, Looked, Mutated, Window
from memprobe.vocab.knobs import NOTHING, Knob

PID, STACK, TYPE = 7, 5, 0x20
KEYS = [(PID, subject) for subject in (3, 4, 5)]
SIZES = {key: Size(0x1000 * number, 10, TYPE) for number, key in enumerate(KEYS, 1)}


@dataclass
class Faked:
    """Bursts on one container at a time."""

    pid: int = PID
    most: int = 1
    refused: str = ""
    reasons: dict[int, str] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def window(self, containers: Sequence[Looked], longest_s: float, limit: int) -> Window:
        if self.refused:
            raise NoKernelSupport(self.refused)
        (one,) = containers
        self.asked.append(one.size_address)
        return Window(100, 200, 0, (Mutated(2, 12, (Change(STACK, 2, 0, 2),)),))


def made(faked: Faked) -> BurstSource:
    source = BurstSource(Mutations(faked, lambda *key: SIZES.get(key), seed=0), tier=1)
    source.start()
    source.wish(KEYS)
    source.afford(1.0)
    return source


def polled(source: BurstSource) -> Batch:
    batch = source.poll()
    assert batch is not None
    return batch


def test_what_a_burst_has_seen_is_told() -> None:
    batch = polled(made(Faked()))
    assert (batch.source, batch.invisible) == ("blame", (IN_BURSTS,))
    assert batch.watches[["subject_id", "pid", "hits"]].tolist() == [(3, PID, 2)]
    assert batch.changes[["subject_id", "stack_id", "added"]].tolist() == [(3, STACK, 2)]


def test_all_have_their_turns_the_worst_first() -> None:
    faked = Faked()
    bursts = Mutations(faked, lambda *key: SIZES.get(key), seed=0)
    for turn in range(1, 7):
        bursts.step(KEYS, 1.0, turn * 4 * SHORTEST_PAUSE_NS, Told())
    assert faked.asked == [0x1000, 0x2000, 0x3000] * 2


def test_what_is_shed_or_settled_makes_no_bursts() -> None:
    faked = Faked()
    source = made(faked)
    source.turn(Knob.BLAME, NOTHING)
    assert not len(polled(source).watches)
    source.turn(Knob.BLAME, 1)
    source.settle()
    assert not len(polled(source).watches)
    assert faked.asked == []


def test_why_there_are_none_is_said() -> None:
    source = made(Faked(refused="the kernel permits no breakpoints"))
    (sentence,) = polled(source).invisible
    assert "is not seen: the kernel permits no breakpoints" in sentence
