"""Courses that are lent: who holds most of a type is found out when it grows, the type was counted before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from memprobe.detectors.evidence import Grown
from memprobe.vocab.subject import What

MOST = 0.8
"""Who holds so much of a type has its course."""


def lent(grown: Sequence[Grown]) -> Iterator[Grown]:
    """Yield all; a holder of most objects of a type with the course of the type, if that is longer."""
    types = {(one.pid, one.subject.type): one for one in grown if one.subject.what is What.TYPE}
    for one in grown:
        lender = types.get((one.pid, one.subject.type)) if one.subject.what is What.HOLDER else None
        if (
            lender is not None
            and lender.growth.points > one.growth.points
            and one.count >= MOST * lender.count
        ):
            yield replace(one, growth=lender.growth, added=lender.added, seen=one.seen | lender.seen)
        else:
            yield one
