"""The document `memprobe.blame/1`: who fills the containers that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memprobe import __version__
from memprobe.ledger.insertions import Filled, Flow
from memprobe.vocab.subject import Subject

SCHEMA = "memprobe.blame/1"
TARGET = ("pid", "start_time", "cmdline", "python", "build", "container", "tier", "ended")


@dataclass(frozen=True, slots=True)
class Blamed:
    """What a run has come to."""

    created_at: str
    target: Mapping[str, Any]
    overhead: Mapping[str, Any]
    invisible: Sequence[str]
    containers: tuple[tuple[Subject, int, Filled | None], ...]
    """Each with its address, and who fills it; None if it was not watched."""


def document(blamed: Blamed, duration_s: float) -> dict[str, Any]:
    """Return the document of a run."""
    return {
        "schema": SCHEMA,
        "memprobe": __version__,
        "created_at": blamed.created_at,
        "target": {name: blamed.target.get(name) for name in TARGET},
        "window": {"start": blamed.created_at, "duration_s": round(duration_s, 3)},
        "overhead": dict(blamed.overhead),
        "evidence": {"invisible": list(blamed.invisible)},
        "containers": [_container(*one) for one in blamed.containers],
    }


def _container(subject: Subject, address: int, filled: Filled | None) -> dict[str, Any]:
    known = {"holder": subject.holder, "type": subject.container, "address": f"{address:#x}"}
    if filled is None:
        numbers = ("entries", "added_per_s", "removed_per_s", "net_per_s", "hits", "watched_s", "seen_s")
        return known | dict.fromkeys(numbers) | {"lines": []}
    return known | {
        "entries": filled.entries,
        "added_per_s": round(filled.added_per_s, 3),
        "removed_per_s": round(filled.removed_per_s, 3),
        "net_per_s": round(filled.added_per_s - filled.removed_per_s, 3),
        "hits": filled.hits,
        "watched_s": round(filled.stands_for_s, 3),
        "seen_s": round(filled.covered_s, 6),
        "lines": [_line(flow) for flow in filled.flows],
    }


def _line(flow: Flow) -> dict[str, Any]:
    return {
        "added_per_s": round(flow.added_per_s, 3),
        "removed_per_s": round(flow.removed_per_s, 3),
        "net_per_s": round(flow.net_per_s, 3),
        "hits": flow.hits,
        "site": [{"function": one.function, "file": one.file, "line": one.line} for one in flow.site],
    }
