"""What the watch of a container has seen, as rows of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memprobe.blame.turns import BURST, STEADY, Watching
from memprobe.vocab.bursts import Change

if TYPE_CHECKING:  # there may be no BPF: bursts need none
    from memprobe.sources.kernel.watchpoints import Hits, Watch

Key = tuple[int, int]
"""Process and subject."""


@dataclass(slots=True, eq=False)
class Turn:
    """A container that has a register."""

    key: Key
    watch: Watch
    how: Watching
    begin_ns: int
    entries_before: int
    every_ns: int = 0
    """Of a burst: so long it is from one to the next in the mean."""

    hits_before: int = 0
    """Of a watch that stays armed: those that were told."""

    looked_hits: int = 0

    def covered_ns(self, hits: Hits, now_ns: int) -> int:
        """How long every change was seen: a burst from its first hit, what its limit ended to the last."""
        if self.how is STEADY:
            return now_ns - self.begin_ns
        end_ns = hits.last_ns if hits.count >= self.how.limit else now_ns
        begin_ns = hits.first_ns if self.how is BURST and hits.count else self.begin_ns
        return max(end_ns - begin_ns, 1)

    def stands_for_ns(self, covered_ns: int, now_ns: int, told_ns: int, crowd: float) -> int:
        """Return the time that the watch speaks for, if so many (`crowd`) share a register.

        The first one is to find out how many hits there are, and speaks for itself alone. Those that stay
        armed go round in turns, which all are as long; one that hits have ended speaks for the time since
        the one before, or slow times would count for less than fast ones. Bursts come by chance alone: by the
        time since the one before, some would speak for much more than others.
        """
        if not told_ns:
            return covered_ns
        if self.how is BURST:
            return self.every_ns
        return int(covered_ns * crowd) if self.how is STEADY else now_ns - told_ns


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch has seen since it began, or was last told."""

    end_ns: int
    hits: int
    covered_ns: int
    stands_for_ns: int
    entries: int
    """How many the container has now."""


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of one poll: vocab.rows.WATCH and CHANGE."""

    watches: list[tuple[int, ...]] = field(default_factory=list)
    changes: list[tuple[int, ...]] = field(default_factory=list)

    def add(
        self, key: Key, begin_ns: int, entries_before: int, seen: Seen, changes: Iterable[Change]
    ) -> None:
        """Tell of a watch, and of what each stack did to the size meanwhile."""
        pid, subject_id = key
        self.watches.append(
            (
                begin_ns,
                seen.end_ns,
                subject_id,
                pid,
                seen.hits,
                seen.covered_ns,
                seen.stands_for_ns,
                entries_before,
                seen.entries,
            )
        )
        self.changes.extend(
            (begin_ns, subject_id, one.stack_id, pid, one.hits, one.added, one.removed) for one in changes
        )
