"""What a recording says of its run, as far as a report shows it: somebody may have made it up."""

from __future__ import annotations

import math
from collections.abc import Iterable

from memprobe.views.report import Run

TEXTS = ("start_time", "python", "build", "container")
HOW = "target_slowdown_how"
"""The only one of the costs that is a text."""


def check_facts(run: Run) -> None:
    """Raise TypeError if something is of another type than a run writes."""
    target, overhead = run.target, run.overhead or {}
    command = target.get("cmdline")
    _check_texts((run.ended, overhead.get(HOW), *map(target.get, TEXTS), *run.engine.values()))
    _check_texts(() if command is None else list(command))
    _check_numbers(value for name, value in overhead.items() if name != HOW)
    if not isinstance(target.get("pid"), int | None):
        raise TypeError("a process without a number")


def _check_texts(values: Iterable[object]) -> None:
    for value in values:
        if not isinstance(value, str | None):
            raise TypeError(f"{value!r:.40} is no text")


def _check_numbers(values: Iterable[object]) -> None:
    for value in values:
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
            raise TypeError(f"{value!r:.40} is no number")
