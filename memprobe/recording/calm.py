"""Batches in which nothing happened, one after the other, as one: most of an idle service.

The kernel is asked ten times a second and mostly has nothing to tell. A run of such batches says what its
last one says: that everything before its end is known. What stands between them keeps its place, so a
replay comes to the same at every instant at which something is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from memprobe.vocab.batch import Batch

_TIMES = ("source", "begin_ns", "end_ns", "drained_ns", "invisible")


class Calm:
    """Holds a batch back as long as nothing follows it but more of nothing."""

    def __init__(self) -> None:
        self._held: Batch | None = None

    def add(self, batch: Batch) -> Iterator[Batch]:
        """Take a batch; yield those that are to be written now."""
        held, self._held = self._held, None
        if is_empty(batch):
            if held is not None and goes_on(held, batch):
                batch, held = replace(batch, begin_ns=held.begin_ns), None
            self._held = batch
        if held is not None:
            yield held
        if self._held is None:
            yield batch

    def take(self) -> Iterator[Batch]:
        """Yield what is held."""
        held, self._held = self._held, None
        if held is not None:
            yield held


def is_empty(batch: Batch) -> bool:
    """Tell whether a batch says nothing but how far its source has come."""
    return not any(len(getattr(batch, field.name)) for field in fields(batch) if field.name not in _TIMES)


def goes_on(one: Batch, other: Batch) -> bool:
    """Tell whether an empty batch says the same as the one before it, only later."""
    return (
        one.source == other.source
        and one.end_ns == other.begin_ns
        and one.invisible == other.invisible
        and (one.drained_ns is None) == (other.drained_ns is None)
        and bool(one.drained_ns) == bool(other.drained_ns)
    )
