"""A subject with its number at one look."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

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

    first: int | None = None
    """Of a collection, where its first entry is: as long as it is the same, that one has stayed."""

    seen: Seen = Seen.EXACTLY

    watched: tuple[Watched, ...] = ()
    """The containers whose lengths together are `count`, if that can be read again without another look."""

    time_ns: int = field(default_factory=time.monotonic_ns)
    """When it was counted: under load a look takes seconds."""
