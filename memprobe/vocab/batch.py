"""What a source saw between two ticks: the one noun that flows down the pipeline.

Time is data: everything after a source works on the times written here (CLOCK_MONOTONIC) and never asks a
clock, and the boundaries between batches are data too, so that a recording replays to the same findings.

The order of events is that of their times, whatever table they stand in. Times of one descriptor are
in order even across processors: a death is stamped before the number is free, a birth after it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from memprobe.vocab import rows
from memprobe.vocab.rows import Rows, no_rows
from memprobe.vocab.stack import Stack
from memprobe.vocab.subject import Subject

OPENING = "opening"
"""The source of a batch that says how things stood when a part of a run began (ledger/opening.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Handles:
    """A picture of every descriptor of one process, as /proc showed it between two instants."""

    pid: int

    begin_ns: int
    """What happened before this instant shows in the picture."""

    end_ns: int
    """What happened after this instant does not."""

    rows: Rows
    """OPEN_HANDLE rows, in any order."""

    texts: tuple[str, ...]
    """What each descriptor points to, row by row: path, peer, or the kernel's own words."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one source saw between `begin_ns` and `end_ns`.

    Arrays are never changed once they are in a batch.
    """

    source: str
    """Name of the source."""

    begin_ns: int
    """The end of its batch before, or when it began to observe."""

    end_ns: int
    """When it was asked."""

    drained_ns: int | None = None
    """Every birth, death and process event before this instant is in this batch or an earlier one.

    0: they are not observed at present (shed). None: this source has nothing to do with them.
    A picture counts once everything before its end has been drained.
    """

    births: Rows = field(default_factory=lambda: no_rows(rows.BIRTH))

    paths: bytes = b""
    """The paths of the births one after the other; row i has `births["path_bytes"][i]` bytes of them."""

    deaths: Rows = field(default_factory=lambda: no_rows(rows.DEATH))

    processes: Rows = field(default_factory=lambda: no_rows(rows.PROCESS))

    tables: Rows = field(default_factory=lambda: no_rows(rows.TABLE))
    """Which descriptors were open: after fork, exec and unshare, and everywhere when there was a census."""

    collections: Rows = field(default_factory=lambda: no_rows(rows.COLLECTION))

    growth: Rows = field(default_factory=lambda: no_rows(rows.GROWTH))
    """Growth since the batch before, by process, stack and how."""

    stacks: Mapping[int, Stack] = field(default_factory=dict)
    """Stacks that nobody has referred to before, resolved."""

    handles: tuple[Handles, ...] = ()
    """Pictures, at most one per process."""

    samples: Rows = field(default_factory=lambda: no_rows(rows.SAMPLE))
    """At most one row per process."""

    populations: Rows = field(default_factory=lambda: no_rows(rows.POPULATION))
    """How many there are of what may pile up; a subject that is not in it was not looked at."""

    looks: Rows = field(default_factory=lambda: no_rows(rows.LOOK))
    """Looks at whole heaps that were finished."""

    subjects: Mapping[int, Subject] = field(default_factory=dict)
    """What the populations count: what nobody has referred to before, and that of which more is known."""

    regions: Rows = field(default_factory=lambda: no_rows(rows.REGION))
    """Address spaces: of a process all of it, or nothing."""

    watches: Rows = field(default_factory=lambda: no_rows(rows.WATCH))
    """Containers whose size was under a watchpoint, each for a while."""

    changes: Rows = field(default_factory=lambda: no_rows(rows.CHANGE))
    """Who changed them in that time, by stack."""

    losses: Mapping[str, int] = field(default_factory=dict)
    """Since the batch before, by the names of losses.json."""

    invisible: tuple[str, ...] = ()
    """What this source cannot see at present, as sentences."""
