"""The document `memprobe.report/1` as typed, frozen objects.

The fields are those of the document (docs/commands.md says what each means): a report and its document are
turned into each other without loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memprobe.config import Thresholds
from memprobe.ledger.process import MemorySection, ProcessSection
from memprobe.target.inspection.plain_data import as_plain, from_plain
from memprobe.views.output import without_surrogates
from memprobe.vocab import finding
from memprobe.vocab.finding import Severity, Withheld
from memprobe.vocab.stack import Frame

SURE = Thresholds().confident


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

    engine: str | None
    engine_why: str | None
    events: int
    lost: Mapping[str, int]
    repaired: int
    snapshots: int
    torn_objects: int | None
    invisible: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory(MemorySection):
    """The memory of the process, and the word on it; None was not measured."""

    verdict: str | None
    why: str | None


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
class SampledKeys:
    """The newest keys of one dictionary that grows, of a run `--with-keys`."""

    holder: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding(finding.Finding):
    """One leak, or what may be one."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as it stands in the document."""
        return _plain(self)

    def to_json(self) -> str:
        """Return the same as text, as that of a report."""
        return _text(self)


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
    process: ProcessSection
    handles: tuple[Handles, ...]
    growth: tuple[Growth, ...]
    findings: tuple[Finding, ...]
    keys: tuple[SampledKeys, ...] | None
    withheld: tuple[Withheld, ...]
    cost_usd_per_month: float | None
    stamp: str

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """Findings of confidence 0.5 and more, whatever the run's own settings; the others are suspects."""
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
        return _plain(self)

    def to_json(self) -> str:
        """Return the document as text, in ASCII: what names of the process hold arrives escaped."""
        return _text(self)


def _plain(part: Report | Finding) -> dict[str, Any]:
    plain: dict[str, Any] = as_plain(part)
    return plain


def _text(part: Report | Finding) -> str:
    return json.dumps(without_surrogates(_plain(part)), indent=2, allow_nan=False)
