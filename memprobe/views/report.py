"""The document `memprobe.report/1`, from a ledger and the facts of a run.

A live run and a recording give the same ledger, and so the same document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from memprobe import __version__
from memprobe.ledger import Ledger
from memprobe.ledger.growth import GrowthSite
from memprobe.ledger.populations import MAX_POPULATIONS
from memprobe.ledger.sites import HandleSite
from memprobe.views.quantities import count
from memprobe.vocab.digest import short_digest
from memprobe.vocab.finding import Finding, Verdict, Withheld
from memprobe.vocab.stack import Frame

SCHEMA = "memprobe.report/1"
GROWTH_ROWS = 200
"""A document has this many rows of growth, the largest; the rest is summed up in one sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a run beside its batches."""

    pid: int

    target: Mapping[str, Any]
    """Who the target is: fields of the report's `target`."""

    created_at: str
    """When the run began: UTC, ISO 8601."""

    tier: int

    engine: Mapping[str, str] = field(default_factory=dict)
    """What saw the events: its name, and why it was this one."""

    tree: bool = False
    """Whether children were followed."""

    ended: str | None = None
    """What became of the target during the run; None if it still runs."""

    overhead: Mapping[str, Any] | None = None
    """The governor's section."""

    invisible: Sequence[str] = ()
    """What could not be seen, beside what the sources say in their batches."""

    verdict: Verdict = field(default_factory=Verdict)
    """What the batches have come to."""

    keys: Sequence[Mapping[str, Any]] | None = None
    """Sampled keys of dictionaries that grow, by holder; None unless the run was asked for them."""

    @property
    def observed(self) -> int | None:
        """The process to report on; None for all that were followed."""
        return None if self.tree else self.pid


NOT_FOLLOWED = (
    f"{MAX_POPULATIONS:,} collections, types and other things are followed: what came after them is not."
)

OVERHEAD = (
    "target_slowdown_pct",
    "target_slowdown_how",
    "profiler_cpu_pct",
    "profiler_rss_mb",
    "profiler_rss_peak_mb",
    "longest_pause_ms",
    "budget_pct",
)
FINDING = (
    "id",
    "kind",
    "title",
    "confidence",
    "severity",
    "exhausts_in_s",
    "limit",
    "count",
    "added",
    "count_per_s",
    "bytes",
    "bytes_per_s",
    "cost_usd_per_month",
    "type",
    "holder",
    "site",
    "age_s",
    "detected_after_s",
    "evidence",
    "suggested_fix",
    "limits",
    "below",
    "cause",
    "known",
)
"""In the order in which a person reads them."""

MEASURED = (
    "confidence",
    "exhausts_in_s",
    "count_per_s",
    "bytes_per_s",
    "cost_usd_per_month",
    "detected_after_s",
)
TARGET = ("pid", "start_time", "cmdline", "python", "build", "container")


def document(ledger: Ledger, run: Run) -> dict[str, Any]:
    """Return the report of a run."""
    handles, growth = ledger.handle_sites(run.observed), ledger.growth_sites(run.observed)
    shown = [site for site in growth if site.bytes > 0][:GROWTH_ROWS]
    return {
        "schema": SCHEMA,
        "memprobe": __version__,
        "created_at": run.created_at,
        "target": {name: run.target.get(name) for name in TARGET} | {"tier": run.tier, "ended": run.ended},
        "window": {"start": run.created_at, "duration_s": round(ledger.duration_s, 3)},
        "overhead": {name: (run.overhead or {}).get(name) for name in OVERHEAD},
        "evidence": _evidence(ledger, run, growth[len(shown) :]),
        "memory": _memory(ledger, run),
        "process": _process(ledger, run.pid),
        "handles": [_handles(site) for site in handles],
        "growth": [_growth(site) for site in shown],
        "findings": [_finding(one) for one in run.verdict.findings],
        "keys": None if run.keys is None else [dict(one) for one in run.keys],
        "withheld": [asdict(one) for one in run.verdict.withheld],
        "cost_usd_per_month": _cost(run.verdict.findings),
        "stamp": stamp([one.id for one in run.verdict.findings]),
    }


def stamp(finding_ids: Sequence[str]) -> str:
    """Return what two runs with the same findings have in common."""
    return short_digest("\n".join(sorted(finding_ids)))


def _finding(one: Finding) -> dict[str, Any]:
    """Return a finding as the document has it: its fields, with numbers rounded."""
    fields = {name: getattr(one, name) for name in FINDING}
    fields |= {name: _rounded(fields[name]) for name in MEASURED}
    return fields | {
        "kind": one.kind.value,
        "severity": one.severity.value,
        "site": _frames(one.site),
        "below": _frames(one.below),
        "age_s": None
        if one.age_s is None
        else {"p50": _rounded(one.age_s.p50), "max": _rounded(one.age_s.max)},
        "evidence": list(one.evidence),
        "limits": list(one.limits),
        "known": None if one.known is None else asdict(one.known),
    }


def _cost(findings: Sequence[Finding]) -> float | None:
    """Return what all findings cost together, each as far as it is sure."""
    costs = [
        one.confidence * one.cost_usd_per_month for one in findings if one.cost_usd_per_month is not None
    ]
    return _rounded(sum(costs)) if costs else None


def _memory(ledger: Ledger, run: Run) -> dict[str, Any]:
    section = {name: _rounded(value) for name, value in asdict(ledger.memory(run.pid)).items()}
    return section | {"verdict": run.verdict.memory, "why": run.verdict.memory_why}


def _evidence(ledger: Ledger, run: Run, left_out: Sequence[GrowthSite]) -> dict[str, Any]:
    told = [sentence for sentences in ledger.invisible.values() for sentence in sentences]
    more = sum(site.bytes for site in left_out if site.bytes > 0)
    if more:
        told.append(f"Growth of {more / (1 << 20):.1f} MB at many smaller places is not listed.")
    if ledger.populations.left_out:
        told.append(NOT_FOLLOWED)
    return {
        "engine": run.engine.get("name"),
        "engine_why": run.engine.get("why"),
        "events": ledger.events,
        "lost": dict(ledger.losses),
        "repaired": ledger.handles.evidence.repaired,
        "snapshots": ledger.handles.evidence.compared + ledger.looks,
        "torn_objects": ledger.torn_objects if ledger.looks else None,
        "invisible": list(dict.fromkeys((*run.invisible, *told, *map(_withheld, run.verdict.withheld)))),
    }


def _withheld(one: Withheld) -> str:
    return (
        f"Withheld by {one.by} ({one.reason}): {count(one.findings, 'finding')} and "
        f"{count(one.suspects, 'suspect')}."
    )


def _process(ledger: Ledger, pid: int) -> dict[str, Any]:
    section = asdict(ledger.process(pid))
    for name in ("cpu_pct", "minor_faults_per_s", "major_faults_per_s"):
        section[name] = _rounded(section[name])
    section["gc"]["pause_ms"] = _rounded(section["gc"]["pause_ms"])
    return section


def _handles(site: HandleSite) -> dict[str, Any]:
    return {
        "kind": site.kind,
        "open": site.open,
        "inherited": site.inherited,
        "opened_per_s": _rounded(site.opened_per_s),
        "closed_per_s": _rounded(site.closed_per_s),
        "oldest_s": _rounded(site.oldest_s),
        "site": _frames(site.site),
        "born": site.born.name.lower(),
        "examples": list(site.examples),
        "states": dict(site.states),
    }


def _growth(site: GrowthSite) -> dict[str, Any]:
    return {
        "bytes": site.bytes,
        "bytes_per_s": _rounded(site.bytes_per_s),
        "how": site.how,
        "site": _frames(site.site),
    }


def _frames(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    return [{"function": one.function, "file": one.file, "line": one.line} for one in frames]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
