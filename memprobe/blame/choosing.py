"""Which containers a run wants to know about: those that grow, and of which not enough is known yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from memprobe.ledger import Ledger

Key = tuple[int, int]
"""Process and subject."""

INTERESTING = 0.1
"""From this probability on a growth is worth a debug register."""

MOST = 16
"""So many have their turns: with two registers each is watched an eighth of the time."""

ENOUGH_HITS, ENOUGH_S = 400, 20.0
"""Then a container is known: rates within some 5 %, over a time that is not one moment."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A container that may be a leak."""

    key: Key
    probability: float
    """That it grows for good."""

    per_s: float
    """Entries, net."""

    bytes_per_s: float | None


def chosen(candidates: Iterable[Candidate], ledger: Ledger) -> list[Key]:
    """Return whom to watch, the worst first."""
    ordered = sorted(_open(candidates, ledger), key=_badness)
    return [one.key for one in ordered[:MOST]]


def _open(candidates: Iterable[Candidate], ledger: Ledger) -> Iterator[Candidate]:
    for one in candidates:
        if one.probability >= INTERESTING and one.per_s > 0:
            hits, stands_for_s = ledger.insertions.seen(one.key)
            if hits < ENOUGH_HITS or stands_for_s < ENOUGH_S:
                yield one


def _badness(one: Candidate) -> tuple[float, float, float, Key]:
    return -one.probability, -(one.bytes_per_s or 0.0), -one.per_s, one.key
