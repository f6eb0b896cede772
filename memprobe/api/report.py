"""The document `memprobe.report/1` as typed, frozen objects.

The fields are those of the document (docs/commands.md says what each means): a report and its document are
turned into each other without loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memprobe.target.inspection.plain_data import as_plain, from_plain
from memprobe.views.output import without_surrogates
from memprobe.vocab.finding import Finding, Severity, Withheld
from memprobe.vocab.stack import Frame

SURE = 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the report is about."""

    pid: int
    start_time: str | None
    cmdline: tuple[str, ...] | None
    python: str | None
    build: str | None
    container: str | None
    tier: int
    ended: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """When it was watched."""

    start: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Overhead:
    """What it has cost."""

    target_slowdown_pct: float | None
    target_slowdown_how: str | None
    profiler_cpu_pct: float | None
    profiler_rss_mb: float | None
    profiler_rss_peak_mb: float | None
    longest_pause_ms: float | None
    budget_pct: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the report rests on."""

    events: int
    lost: Mapping[str, int]
    repaired: int
    snapshots: int
    torn_objects: int | None
    invisible: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of the process; None was not measured."""

    rss_mb: float | None
    rss_peak_mb: float | None
    vms_mb: float | None
    swap_mb: float | None
    rss_growth_mb_per_h: float | None
    python_mb: float | None
    arena_free_mb: float | None
    native_mb: float | None
    mmap_mb: float | None
    limit_mb: float | None
    limit_used_mb: float | None
    uss_mb: float | None
    verdict: str | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Gc:
    """The collector of the process; None was not measured."""

    enabled: bool | None
    counts: tuple[int, ...] | None
    thresholds: tuple[int, ...] | None
    collections: tuple[int, ...] | None
    pause_ms: float | None


@dataclass(frozen=True, slots=True)
class Process:
    """The process beside its memory; None was not measured."""

    cpu_pct: float | None
    threads: int | None
    fds: int | None
    fd_limit: int | None
    minor_faults_per_s: float | None
    major_faults_per_s: float | None
    gc: Gc


@dataclass(frozen=True, slots=True)
class Handles:
    """Open handles of one kind that were born at one place."""

    kind: str
    open: int
    inherited: int
    opened_per_s: float | None
    closed_per_s: float | None
    oldest_s: float | None
    site: tuple[Frame, ...]
    born: str
    examples: tuple[str, ...]
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory that has grown below one stack."""

    bytes: int
    bytes_per_s: float | None
    how: str
    site: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run has come to."""

    schema: str
    memprobe: str
    created_at: str
    target: Target
    window: Window
    overhead: Overhead
    evidence: Evidence
    memory: Memory
    process: Process
    handles: tuple[Handles, ...]
    growth: tuple[Growth, ...]
    findings: tuple[Finding, ...]
    withheld: tuple[Withheld, ...]
    cost_usd_per_month: float | None
    stamp: str

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings that are sure (confidence 0.5 and above); the others are suspects."""
        return tuple(one for one in self.findings if one.confidence >= SURE)

    @property
    def is_critical(self) -> bool:
        """Whether a leak uses something up within the hour."""
        return any(one.severity is Severity.CRITICAL for one in self.leaks)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Report:
        """Return the report that a document is; raises WrongData (a ValueError) for one that is none."""
        # Once through JSON: lists are lists then, whoever made the document.
        return from_plain(cls, json.loads(json.dumps(document)))

    def to_dict(self) -> dict[str, Any]:
        """Return the document `memprobe.report/1`."""
        plain: dict[str, Any] = as_plain(self)
        return plain

    def to_json(self) -> str:
        """Return the document as text, in ASCII: what names of the process hold arrives escaped."""
        return json.dumps(without_surrogates(self.to_dict()), indent=2, allow_nan=False)
