"""A table of descriptors compared with what is really open: pure functions on arrays.

What is really open comes from a census (a bit set that the kernel wrote at one point in the order of
events) or from a picture (/proc, read over some milliseconds). Neither is an instant as far as calls under
way in other threads are concerned, so descriptors that something happens to at that time are left out of
the comparison; the next one has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memprobe.ledger.folding import PICTURED, Flags, find, merged
from memprobe.ledger.streams import Integers
from memprobe.ledger.texts import Numbers
from memprobe.vocab.rows import Rows

ALL = 1 << 31
"""One more than the highest descriptor there can be."""

_FROM_PICTURE = tuple(name for name in PICTURED if not name.startswith("text"))


@dataclass(frozen=True, slots=True)
class Shown:
    """What is really open, between two descriptors."""

    descriptors: Integers
    """In order, each once."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Descriptors that something happens to at the time of a comparison."""

    being_born: Integers
    """Their being open says nothing: their birth follows, or they are about to be closed."""

    dying: Integers
    """Their being closed says nothing: their death follows."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a table is wrong."""

    gone: Flags
    """For each entry whether it is not open any more."""

    missing: Integers
    """Descriptors that are open, but have no entry."""

    @property
    def count(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.gone)) + len(self.missing)


def compare(rows: Rows, shown: Shown) -> Difference:
    """Compare the entries of a table with what is really open."""
    descriptors = rows["descriptor"]
    inside = (descriptors >= shown.first) & (descriptors < shown.end)
    _, still_open = find(shown.descriptors, descriptors)
    _, known = find(descriptors, shown.descriptors)
    return Difference(inside & ~still_open, shown.descriptors[~known])


def settled(rows: Rows, difference: Difference, under_way: UnderWay) -> Difference:
    """Return a difference without the descriptors that something happens to."""
    return Difference(
        difference.gone & ~np.isin(rows["descriptor"], under_way.dying),
        difference.missing[~np.isin(difference.missing, under_way.being_born)],
    )


def repaired(rows: Rows, difference: Difference, found: Rows) -> Rows:
    """Return the entries without those that have gone, and with those that were found."""
    if not difference.count:
        return rows
    return merged(rows, ~difference.gone, found)


def open_descriptors(words: Rows, first: int) -> Integers:
    """Return the descriptors whose bits are set, the lowest bit of the first word being `first`."""
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), bitorder="little")
    return (np.flatnonzero(bits) + first).astype(np.int32)


def replaced(rows: Rows, picture: Rows, left_out: Integers) -> Flags:
    """For each entry whether a picture shows something else under its number: it died and was born unseen."""
    place, shown = find(picture["descriptor"], rows["descriptor"])
    other = np.zeros(len(rows), bool)
    at = place[shown]
    other[shown] = (
        (rows["inode"][shown] != 0)
        & (picture["inode"][at] != 0)
        & (rows["inode"][shown] != picture["inode"][at])
    )
    return other & ~np.isin(rows["descriptor"], left_out)


def describe(rows: Rows, picture: Rows, starts: Numbers, lengths: Numbers, left_out: Integers) -> None:
    """Write what a picture shows into the entries, in place."""
    place, shown = find(picture["descriptor"], rows["descriptor"])
    shown &= ~np.isin(rows["descriptor"], left_out)
    at = place[shown]
    for name in _FROM_PICTURE:
        rows[name][shown] = picture[name][at]
    rows["text"][shown] = starts[at]
    rows["text_bytes"][shown] = lengths[at]
