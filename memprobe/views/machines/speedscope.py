"""The report for speedscope.app: a profile each for growth, open handles and leaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from memprobe import __version__
from memprobe.views.machines.weights import UNITS, Weighed, weighed
from memprobe.views.output import without_surrogates
from memprobe.vocab.stack import Frame

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
SPEEDSCOPE_UNITS = {"bytes": "bytes", "count": "none"}


def render(document: dict[str, Any]) -> bytes:
    """Return the file; a profile for each sort of growth, handle and leak, outermost frames first."""
    numbers: dict[Frame, int] = {}
    groups: dict[tuple[str, str], list[Weighed]] = {}
    for one in weighed(document):
        groups.setdefault((one.what, one.sort), []).append(one)
    profiles = [_profile(*names, rows, numbers) for names, rows in groups.items()]
    file = {
        "$schema": SCHEMA,
        "exporter": f"memprobe {__version__}",
        "name": f"pid {document['target']['pid']}, {document['created_at']}",
        "activeProfileIndex": 0,
        "shared": {"frames": list(map(_frame, numbers))},
        "profiles": profiles,
    }
    return json.dumps(without_surrogates(file), allow_nan=False).encode()


def _profile(what: str, sort: str, rows: Sequence[Weighed], numbers: dict[Frame, int]) -> dict[str, Any]:
    stacks = [[numbers.setdefault(frame, len(numbers)) for frame in reversed(row.frames)] for row in rows]
    weights = [max(0, row.value) for row in rows]
    return {
        "type": "sampled",
        "name": f"{what}: {sort}",
        "unit": SPEEDSCOPE_UNITS[UNITS[what]],
        "startValue": 0,
        "endValue": sum(weights),
        "samples": stacks,
        "weights": weights,
    }


def _frame(frame: Frame) -> dict[str, Any]:
    place = {"file": frame.file, "line": frame.line} if frame.file else {}
    return {"name": frame.function} | place
