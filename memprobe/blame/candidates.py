"""Sampled blocks that may turn out to be survivors: followed from their birth by looking at the heap.

A block is a survivor when it was allocated at every look, held an object of the same type and of mostly
the same content at each, and no later burst saw its address handed out again.

The danger is a block that is used over and over, until a real survivor takes it: looks find it allocated
each time. The allocator hands out first what was freed last, so such a block comes back within a few births:
that is why a birth counts only if enough others of its size class followed it, and none at its address. What
lives longer than a burst and then dies would still be taken for the survivor in its place. But it was of
another type, mostly, as the birth after its own has seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from memprobe import abi
from memprobe.blame.identity import BODY, Contents
from memprobe.target.cpython.pools import CLASS_BYTES, WORDS, Blocks
from memprobe.vocab.rows import Rows, no_rows

LOOKS = 4
"""Looks that a survivor has passed, the one right after its birth among them."""

CANDIDATES = 5_000
"""Followed at most; what is born beyond is left out of its burst as a whole."""

CANDIDATE = np.dtype(
    [
        ("address", "<u8"),
        ("stack_id", "<u8"),
        ("time_ns", "<u8"),
        ("type", "<u8"),
        ("body", "<u8", (BODY,)),
        ("size_class", "<i8"),
        ("burst", "<i8"),
        ("looks", "<i8"),
    ]
)

Words = npt.NDArray[np.uint64]

Lookup = Callable[[Words, npt.NDArray[np.int64]], Blocks]
"""How blocks are looked at: addresses and size classes."""

Identify = Callable[[Words], Contents]
"""What they hold, by their words."""

FOLLOWING = 8
FOLLOWING_PART = 0.25
"""So many births of the same size class, and this part of all in the burst, must follow in it."""


class Candidates:
    """The blocks that are followed, and those that have survived."""

    def __init__(self, look_at: Lookup, identify: Identify, horizon_ns: int) -> None:
        """A survivor is as old as the horizon."""
        self._look_at, self._identify, self._horizon_ns = look_at, identify, horizon_ns
        self.followed: Rows = no_rows(CANDIDATE)
        self.survivors: Rows = no_rows(CANDIDATE)
        self.bursts = 0

    def add(self, born: Rows) -> None:
        """Take the births of a burst (abi.BLOCK_RECORD, in order of time), and look at them at once.

        Of an address that was handed out more than once only the last can have survived, and of what was
        followed there nothing.
        """
        burst, self.bursts = self.bursts, self.bursts + 1
        reborn = np.isin(self.followed["address"], born["address"])
        self.followed = self.followed[~reborn]
        self.survivors = self.survivors[~np.isin(self.survivors["address"], born["address"])]
        if len(self.followed) + len(born) > CANDIDATES:
            return
        last = _followed_by_others(born)
        new = _candidates(born[last], burst)
        contents, allocated = self._contents(new)
        new["type"], new["body"], new["looks"] = contents.types, contents.bodies, 1
        born_as = self._types_at_birth(born)[last]
        is_same = (born_as == 0) | (born_as == new["type"])
        self.followed = np.concatenate((self.followed, new[allocated & is_same]))

    def _types_at_birth(self, born: Rows) -> Words:
        """The type of each block as the birth after it saw it; 0 where that is not known, or no object."""
        words = np.zeros((len(born), WORDS), "<u8")
        told = np.flatnonzero(born["before"][1:] == born["address"][:-1])
        words[told, : abi.BLOCK_WORDS] = born["words"][told + 1]
        return self._identify(words).types

    def look(self, now_ns: int) -> None:
        """Look at all that are followed: who has gone is dropped, who is old enough has survived."""
        one = self._unchanged(self.followed)
        one["looks"] += 1
        old = (one["looks"] >= LOOKS) & (one["time_ns"] + self._horizon_ns <= now_ns)
        self.survivors = np.concatenate((self._unchanged(self.survivors), one[old]))
        self.followed = one[~old]

    def _unchanged(self, rows: Rows) -> Rows:
        """Those that are still what they were; in the first look an object may still have been made."""
        contents, allocated = self._contents(rows)
        alike = (rows["looks"] < 2) | _alike(rows, contents)
        rows["body"] = contents.bodies
        kept: Rows = rows[allocated & (contents.types == rows["type"]) & alike]
        return kept

    def _contents(self, rows: Rows) -> tuple[Contents, npt.NDArray[np.bool_]]:
        blocks = self._look_at(rows["address"], rows["size_class"])
        contents = self._identify(blocks.words)
        return contents, contents.alive & blocks.allocated


def _alike(rows: Rows, contents: Contents) -> npt.NDArray[np.bool_]:
    """Whether more than half of the words are what they were, of those that the block has."""
    there = np.clip((rows["size_class"] + 1) * 2 - contents.begins, 0, BODY)
    equal = (rows["body"] == contents.bodies) & (np.arange(BODY) < there[:, None])
    enough: npt.NDArray[np.bool_] = 2 * equal.sum(axis=1) > there - (there == 0)
    return enough


def _followed_by_others(born: Rows) -> npt.NDArray[np.intp]:
    """Where the last birth at each address is, of those that enough others of their size class follow."""
    classes = (born["size_bytes"].astype(np.int64) - 1) // CLASS_BYTES
    following, per_class = _following(classes), np.bincount(classes, minlength=1)
    enough = following >= np.maximum(FOLLOWING, FOLLOWING_PART * per_class[classes])
    _, last = np.unique(born["address"][::-1], return_index=True)
    last = len(born) - 1 - last
    return np.asarray(last[enough[last]], np.intp)


def _following(classes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many of the same class come after each."""
    order = np.argsort(classes, kind="stable")
    ends = np.searchsorted(classes[order], classes, "right")
    place = np.empty(len(classes), np.int64)
    place[order] = np.arange(len(classes))
    after: npt.NDArray[np.int64] = ends - 1 - place
    return after


def _candidates(born: Rows, burst: int) -> Rows:
    rows = np.zeros(len(born), CANDIDATE)
    rows["address"], rows["stack_id"] = born["address"], born["stack_id"]
    rows["time_ns"] = born["header"]["time_ns"]
    rows["size_class"] = (born["size_bytes"].astype(np.int64) - 1) // CLASS_BYTES
    rows["burst"] = burst
    return rows
