"""A subject with its number at one look."""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.heap.containers import Watched
from memprobe.vocab.subject import Seen, Subject


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that may pile up, and how many of it there are."""

    subject: Subject

    key: str
    """What makes it the same subject at the next look."""

    count: int | None
    """None if only the bytes are known."""

    bytes: int | None
    """What they take, or what would be free without the holder."""

    oldest_ns: int | None = None
    seen: Seen = Seen.EXACTLY

    watched: Watched | None = None
    """Of a single container: how to read its length again without a look at the whole heap."""
