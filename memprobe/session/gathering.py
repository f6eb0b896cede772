"""What the kernel tells several times a second, as one batch of each source for every look at /proc.

Verdicts are made when /proc was looked at: until then nobody needs to know. One batch a second instead of
five costs less to fold and a fifth to record. In a storm nothing is held back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from memprobe.vocab.batch import Batch

MOST_ROWS = 20_000
"""Nothing is added to a batch that is as long as this."""

_LAST = ("source", "end_ns", "drained_ns", "invisible")


class Gathering:
    """Holds back what comes of sources that are asked often."""

    def __init__(self) -> None:
        self._held: dict[str, list[Batch]] = {}
        self._rows = 0

    def add(self, batch: Batch) -> bool:
        """Hold a batch; return whether nothing should be held any longer."""
        self._held.setdefault(batch.source, []).append(batch)
        self._rows += sum(len(getattr(batch, name)) for name in ("births", "deaths", "processes", "growth"))
        return self._rows >= MOST_ROWS or len(batch.processes) > 0

    def take(self) -> list[Batch]:
        """Return what is held: one batch of each source, in the order in which they were first asked."""
        held, self._rows = self._held, 0
        self._held = {source: [] for source in held}
        return [joined(batches) for batches in held.values() if batches]


def joined(batches: Sequence[Batch]) -> Batch:
    """Return what successive batches of a source say, as one."""
    if len(batches) == 1:
        return batches[0]
    values = {field.name: [getattr(one, field.name) for one in batches] for field in fields(Batch)}
    whole = (*_LAST, "begin_ns", "losses")
    parts = {name: _joined(several) for name, several in values.items() if name not in whole}
    last = {name: values[name][-1] for name in _LAST}
    losses: Counter[str] = Counter()
    for lost in values["losses"]:
        losses.update(lost)
    return Batch(begin_ns=batches[0].begin_ns, losses=dict(losses), **last, **parts)


def _joined(values: Sequence[Any]) -> Any:
    """Return arrays, bytes, tuples or mappings as one."""
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    if isinstance(values[0], bytes):
        return b"".join(values)
    if isinstance(values[0], tuple):
        return tuple(one for several in values for one in several)
    return {name: one for several in values for name, one in several.items()}
