"""What a run has come to: the findings of a report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from memprobe.vocab.stack import Frame


class Kind(StrEnum):
    """The nine kinds of leak."""

    HANDLES = "handles"
    SOCKETS = "sockets"
    CACHES = "caches"
    CYCLES = "cycles"
    LISTENERS = "listeners"
    TASKS = "tasks"
    TIMERS = "timers"
    THREADS = "threads"
    NATIVE = "native"


class Severity(StrEnum):
    """By how soon a limit is reached."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Age:
    """How old what has piled up is."""

    p50: float | None
    max: float


@dataclass(frozen=True, slots=True)
class Known:
    """A leak that somebody else has had: what is publicly known of it."""

    pattern: str
    """The id of the pattern that it matches."""

    title: str
    advice: str
    source: str = ""
    """Where it is told: an address; "" if the user knows it of himself."""

    package: str = ""
    """Whose bug it is; "" of what is no package's."""

    version: str | None = None
    """Which one the target has; None if that is not known."""

    fixed: str = ""
    """The first release without it; "" if there is none, or if it is no bug of a release."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One leak, or what may be one; the field names are those of the report."""

    id: str
    """The same from run to run: kind with type and holder (without keys), or with the site's function."""

    kind: Kind
    title: str
    """One sentence a person can act on."""

    confidence: float
    """Of findings with 0.9, nine in ten are real; below 0.5 it is a suspect."""

    severity: Severity
    count: int | None
    """Alive now."""

    added: int | None
    """Since the attach."""

    count_per_s: float | None
    """Net."""

    bytes: int | None
    """Retained."""

    bytes_per_s: float | None
    type: str
    holder: str
    site: tuple[Frame, ...]
    """The stack that creates or inserts it, innermost first; empty if it is not known."""

    detected_after_s: float
    exhausts_in_s: float | None = None
    limit: str | None = None
    """The limit that this leak runs into first: "memory", "descriptors", "threads"."""

    cost_usd_per_month: float | None = None
    age_s: Age | None = None
    evidence: tuple[str, ...] = ()
    suggested_fix: str = ""
    limits: tuple[str, ...] = ()
    """What this finding does not know."""

    below: tuple[Frame, ...] = ()
    """What of the standard library `site` has called, innermost first: `site` begins above it."""

    cause: str = ""
    """What went wrong, in the words of the catalogue of advice (`detectors.fixes.Cause`)."""

    known: Known | None = None
    """The known leak that it is, if it is one."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Findings that are not told because somebody wants it so."""

    by: str
    """What withholds them: "holder 'app.cache.*'", "kind caches"."""

    reason: str
    findings: int
    suspects: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that a run has come to."""

    findings: tuple[Finding, ...] = ()
    """Worst first, suspects last."""

    memory: str | None = None
    """What the memory of the process does, in a word: "leak", "fragmentation", "warm-up", "bounded cache"."""

    memory_why: str | None = None
    """Why it is called so."""

    withheld: tuple[Withheld, ...] = ()
    """What else was found."""
