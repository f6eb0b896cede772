"""What somebody wants to know of a heap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of `memprobe heap`, checked."""

    type: str | None = None
    """Only objects of this type, and who holds them."""

    holders: str | None = None
    """Only holders whose path has this in it; * stands for anything."""

    garbage: bool = False
    """What waits for the collector."""

    sample: float | None = None
    """Read only this fraction; None reads all."""

    diff_s: float | None = None
    """Look twice, so far apart."""

    freeze_s: float | None = None
    """Stop the target while it is read, at most for so long."""

    seed: int = 0
    """Of the sample."""

    rows: int = 6
    """Rows for which the paths are worth finding."""

    @property
    def needs_graph(self) -> bool:
        """Whether something is wanted that only the references tell."""
        return (self.type, self.holders, self.diff_s) != (None, None, None) or self.garbage
