"""The document `memprobe.births/1`: which lines make what stays, by type."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memprobe import __version__
from memprobe.models.survivors import Share
from memprobe.views.blame_report import TARGET
from memprobe.vocab import Stack

SCHEMA = "memprobe.births/1"
NO_OBJECT = "memory that is no object"
"""Tables of dicts and sets, items of lists, buffers."""


@dataclass(frozen=True, slots=True)
class Born:
    """What one stack makes of one type that stays."""

    type: str
    stack: Stack | None
    caught: int
    per_s: Share
    bytes_per_s: Share


@dataclass(frozen=True, slots=True)
class Births:
    """What a run has come to."""

    created_at: str
    target: Mapping[str, Any]
    duration_s: float
    overhead: Mapping[str, Any]
    traced: int
    bursts: int
    invisible: Sequence[str]
    survivors: tuple[Born, ...]
    """What grows fastest comes first."""


def document(births: Births, type_name: str) -> dict[str, Any]:
    """Return the document of a run, of the types that a name or a pattern means."""
    return {
        "schema": SCHEMA,
        "memprobe": __version__,
        "created_at": births.created_at,
        "target": {name: births.target.get(name) for name in TARGET},
        "window": {"start": births.created_at, "duration_s": round(births.duration_s, 3)},
        "overhead": dict(births.overhead),
        "evidence": {
            "births_traced": births.traced,
            "bursts": births.bursts,
            "survivors": sum(one.caught for one in births.survivors),
            "invisible": list(births.invisible),
        },
        "type": type_name,
        "births": [_born(one) for one in births.survivors if means(type_name, one.type or NO_OBJECT)],
    }


def means(pattern: str, name: str) -> bool:
    """Whether a type is meant: by its name, its last part, or a pattern for either."""
    return any(fnmatch.fnmatchcase(one, pattern) for one in (name, name.rpartition(".")[2]))


def _born(one: Born) -> dict[str, Any]:
    frames = one.stack.frames if one.stack is not None else ()
    return {
        "type": one.type or NO_OBJECT,
        "caught": one.caught,
        **_rates("per_s", one.per_s),
        **_rates("bytes_per_s", one.bytes_per_s),
        "site": [{"function": one.function, "file": one.file, "line": one.line} for one in frames],
    }


def _rates(name: str, share: Share) -> dict[str, float]:
    numbers = {name: share.best, f"{name}_low": share.low, f"{name}_high": share.high}
    return {key: round(float(number), 3) for key, number in numbers.items()}
