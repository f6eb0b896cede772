"""The document that `memprobe heap` gives: `memprobe.heap/1`.

Field names are the names in the JSON. A number that was not measured is None, never 0; units are in the
names. Two sizes stand everywhere: `getsizeof_bytes` is what `sys.getsizeof` says, `allocated_bytes` what
the memory really costs: values and tables out of line, collector headers, and the allocator's rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from memprobe import __version__
from memprobe.target.inspection.document import TargetPart
from memprobe.target.inspection.plain_data import as_plain

SCHEMA = "memprobe.heap/1"
TARGET = ("pid", "start_time", "cmdline", "python", "build", "container", "tier")


@dataclass(frozen=True, slots=True)
class WindowPart:
    """When it was looked at."""

    start: str
    """UTC, ISO 8601."""

    duration_s: float
    """From the first read to the last."""

    apart_s: float | None
    """Between the two censuses, if there were two."""


@dataclass(frozen=True, slots=True)
class FrozenPart:
    """What a stop has cost the target, if one was asked for."""

    threads: int
    """How many threads stood."""

    held_ms: float
    """How long they stood; of two stops, together."""

    exact: bool
    """Whether all was read while it stood: false if the time was over before."""


@dataclass(frozen=True, slots=True)
class SampledPart:
    """How a part was chosen, if only a part was read."""

    fraction: float
    """What was asked for."""

    pools: int | None
    """Pools that were read."""

    pools_total: int | None
    """Pools that there are."""

    confidence: float
    """That of every interval: 0.95."""

    seed: int


@dataclass(frozen=True, slots=True)
class EvidencePart:
    """How well it was seen."""

    torn_objects: int | None
    """Objects that changed while they were read, and would not hold still when they were read again."""

    retried_pools: int | None
    """Pools of the allocator that were read more than once for that reason."""

    bytes_read: int | None

    lost: dict[str, int]
    """What was left out, by name; only what is not 0."""

    invisible: tuple[str, ...]
    """What could not be seen, and why, as sentences."""


@dataclass(frozen=True, slots=True)
class TotalsPart:
    """All objects together, and what the allocator holds."""

    rss_bytes: int | None
    objects: int | None
    tracked: int | None
    """Those that `gc.get_objects()` has: without what `gc.freeze()` has put aside."""

    getsizeof_bytes: int | None
    allocated_bytes: int | None
    types: int | None

    arenas: int | None
    arenas_bytes: int | None
    """What Python's own allocator holds; large objects are not in it."""

    arena_free_bytes: int | None
    """What of that holds nothing alive: free pools, and free blocks in used ones."""

    fragmentation_pct: float | None
    """The share of the arenas that is free."""


@dataclass(frozen=True, slots=True)
class GrowthPart:
    """What has come to a type between two censuses, less what has gone."""

    objects: int
    getsizeof_bytes: int
    allocated_bytes: int


@dataclass(frozen=True, slots=True)
class IntervalPart:
    """Where the truth lies with the confidence that `sampled` says."""

    objects: tuple[int, int]
    allocated_bytes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TypePart:
    """All objects of one type; types of the same name are one row."""

    type: str
    """Qualified: "app.models.Session"; a builtin has no module."""

    objects: int
    tracked: int | None
    getsizeof_bytes: int
    allocated_bytes: int

    churning: bool = False
    """Whether so many came and went during the walk that the count is rough."""

    growth: GrowthPart | None = None
    interval: IntervalPart | None = None


@dataclass(frozen=True, slots=True)
class HeldPart:
    """The pieces of one type that a holder keeps alive, each with all that hangs on it."""

    type: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class HolderPart:
    """Who keeps objects alive, as a path from a root that a person can type."""

    path: str
    type: str
    """Of the holder itself."""

    objects: int
    """How many would die with it; with `--type`: how many of that type, with `--diff`: how many new ones."""

    retained_bytes: int | None
    """What would be free without it."""

    length: int | None = None
    """How many entries it has, if it is a container."""

    holds: tuple[HeldPart, ...] = ()
    """The pieces that it keeps alive, by type, the most bytes first."""


@dataclass(frozen=True, slots=True)
class ReferrersPart:
    """Objects of one kind that refer straight to those of the type that was asked for."""

    type: str
    objects: int
    references: int


@dataclass(frozen=True, slots=True)
class UnexplainedPart:
    """Objects of one type with more references than are known: C code holds them, or forgot to let go."""

    type: str
    path: str
    """To the one that has most."""

    objects: int
    references: int
    """How many there are without an explanation."""

    unheld: int
    """How many of the objects nothing else holds."""

    retained_bytes: int
    """What would be free if those went."""


@dataclass(frozen=True, slots=True)
class GarbageTypePart:
    """Garbage of one type."""

    type: str
    objects: int
    bytes: int
    has_del: bool
    """Whether its class has `__del__`."""


@dataclass(frozen=True, slots=True)
class GarbagePart:
    """What waits for the collector, and what the collector will not take."""

    objects: int | None
    bytes: int | None
    types: tuple[GarbageTypePart, ...]

    uncollectable: int | None
    """Entries of `gc.garbage`."""

    frozen: int | None
    """Objects that `gc.freeze()` has hidden from the collector."""

    enabled: bool | None
    counts: tuple[int, ...]
    thresholds: tuple[int, ...]
    collections: tuple[int, ...]

    starved: bool | None
    """Whether the collector is on, but the oldest generation is put off."""


@dataclass(frozen=True, slots=True)
class ListenersPart:
    """A collection of callables: callbacks that somebody has registered."""

    path: str
    type: str
    length: int
    kinds: dict[str, int]
    """How many are bound methods, functions, partials, ..."""


@dataclass(frozen=True, slots=True)
class ContainerPart:
    """A container that is large or has grown."""

    path: str
    type: str
    address: int
    length: int
    growth: int | None
    """Entries more than at the first look; None if there was one look only."""


@dataclass(frozen=True, slots=True)
class Heap:
    """Everything that one run of `memprobe heap` has found out; None was not asked for or not measured."""

    created_at: str
    target: TargetPart
    window: WindowPart
    evidence: EvidencePart
    totals: TotalsPart
    types: tuple[TypePart, ...] | None = None
    holders: tuple[HolderPart, ...] | None = None
    referrers: tuple[ReferrersPart, ...] | None = None
    unexplained: tuple[UnexplainedPart, ...] | None = None
    garbage: GarbagePart | None = None
    listeners: tuple[ListenersPart, ...] | None = None
    containers: tuple[ContainerPart, ...] | None = None
    frozen: FrozenPart | None = None
    sampled: SampledPart | None = None
    asked: dict[str, str] = field(default_factory=dict)
    """The options that narrowed what is shown: `type`, `holders`."""

    recording: str | None = None
    """The file that it comes from; None: from the process itself."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        plain: dict[str, Any] = as_plain(self)
        plain["target"] = {name: plain["target"][name] for name in TARGET}
        return {"schema": SCHEMA, "memprobe": __version__, **plain}
