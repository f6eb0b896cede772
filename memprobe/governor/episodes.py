"""What was shed, and from when to when: the sentences of the report about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from memprobe.governor.ladder import sentence
from memprobe.vocab.knobs import Knob, Rung

MOST_SENTENCES = 20
"""A run of weeks may shed often: beyond this many episodes they are summed up."""

KEPT = 64
"""Beyond this many the older ones are not kept one by one: each is compared with each other."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One rung, from when it was shed to when it returned."""

    rung: Rung
    begin_ns: int
    end_ns: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Sum:
    """All episodes of one knob together."""

    rung: Rung
    """The one that kept least."""

    times: int
    lasted_ns: int
    """Of those that are over."""

    reason: str
    """Of the last one."""

    def __add__(self, later: Sum) -> Sum:
        rung = later.rung if _cheaper(later.rung, self.rung) else self.rung
        return Sum(rung, self.times + later.times, self.lasted_ns + later.lasted_ns, later.reason)


class Episodes:
    """The episodes of a run; of a long one the older ones are sums."""

    def __init__(self) -> None:
        self._kept: list[Episode] = []
        """In the order in which they began."""

        self._earlier: dict[Knob, Sum] = {}

    def __len__(self) -> int:
        """How many are kept one by one."""
        return len(self._kept)

    def move(self, rungs: Sequence[Rung], before: int, after: int, time_ns: int, reason: str) -> None:
        """The ladder has moved from one position to another."""
        back = frozenset(rungs[after:before])
        self._kept = [
            replace(one, end_ns=time_ns) if one.end_ns is None and one.rung in back else one
            for one in self._kept
        ]
        self._kept += [Episode(rung, time_ns, None, reason) for rung in rungs[before:after]]
        if len(self._kept) > KEPT:
            self._sum_up()

    def sentences(self, begin_ns: int) -> tuple[str, ...]:
        """Return what was shed, with times since the attach.

        Where two settings of a knob were shed at the same time, the one that keeps less says it.
        """
        told = self._told()
        if not self._earlier and len(told) <= MOST_SENTENCES:
            return tuple(_sentence(one, begin_ns) for one in told)
        sums = _summed(told, self._earlier)
        still = {one.rung.knob for one in told if one.end_ns is None}
        return tuple(_sentence_of_all(sums[knob], knob in still) for knob in Knob if knob in sums)

    def _told(self) -> list[Episode]:
        return [one for one in self._kept if not _outdone(one, self._kept)]

    def _sum_up(self) -> None:
        """Add up the older half of those that are over; what is outdone and over is never told again."""
        over = [one for one in self._told() if one.end_ns is not None]
        older, newer = over[: len(over) // 2], set(over[len(over) // 2 :])
        self._earlier = _summed(older, self._earlier)
        self._kept = [one for one in self._kept if one.end_ns is None or one in newer]


def _summed(episodes: Iterable[Episode], earlier: dict[Knob, Sum]) -> dict[Knob, Sum]:
    sums = dict(earlier)
    for one in episodes:
        lasted_ns = 0 if one.end_ns is None else one.end_ns - one.begin_ns
        own, before = Sum(one.rung, 1, lasted_ns, one.reason), sums.get(one.rung.knob)
        sums[one.rung.knob] = own if before is None else before + own
    return sums


def _outdone(one: Episode, episodes: Iterable[Episode]) -> bool:
    """Whether a cheaper setting of the same knob covers this episode entirely."""
    return any(
        other.rung.knob is one.rung.knob
        and other.rung != one.rung
        and other.begin_ns <= one.begin_ns
        and (other.end_ns is None or (one.end_ns is not None and one.end_ns <= other.end_ns))
        and _cheaper(other.rung, one.rung)
        for other in episodes
    )


def _cheaper(rung: Rung, than: Rung) -> bool:
    """Whether one setting keeps less than another (0 is nothing)."""
    return (rung.one_in or float("inf")) > (than.one_in or float("inf"))


def _sentence(one: Episode, begin_ns: int) -> str:
    since = f"{(one.begin_ns - begin_ns) / 1e9:.1f} s"
    until = "to the end" if one.end_ns is None else f"to {(one.end_ns - begin_ns) / 1e9:.1f} s"
    return f"{sentence(one.rung)} from {since} {until} after the attach: {one.reason}."


def _sentence_of_all(every: Sum, is_shed: bool) -> str:
    still = ", and at the end" if is_shed else ""
    lasted_s = every.lasted_ns / 1e9
    return f"{sentence(every.rung)} {every.times} times, {lasted_s:.0f} s in all{still}: {every.reason}."
