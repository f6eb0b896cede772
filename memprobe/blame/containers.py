"""Containers that somebody has asked for: where their sizes are, and whether they are still the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memprobe.errors import TargetGone
from memprobe.heap.looker.lengths import Lengths, Size
from memprobe.vocab import Memory
from memprobe.vocab.subject import Subject, What

Key = tuple[int, int]
"""Process and subject."""

ASKED = 1 << 62
"""Subjects that were asked for have this bit in their number, those of looks at the heap have not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One container that was asked for."""

    key: Key
    path: str
    type: str
    address: int

    @property
    def subject(self) -> Subject:
        """As others are described."""
        return Subject(What.CONTAINER, holder=self.path, container=self.type)


class Containers:
    """Reads the sizes of the containers that `heap.seeking` has found."""

    def __init__(self, memory: Memory, pid: int, found: dict[str, Any]) -> None:
        self.asked = tuple(
            Asked((pid, ASKED | number), path, kind, address)
            for number, (path, kind, address, *_) in enumerate(found["found"])
        )
        rows: Sequence[Sequence[Any]] = [
            [str(one.key[1]), *row[2:]] for one, row in zip(self.asked, found["found"], strict=True)
        ]
        self._lengths = Lengths(memory, found["header"], rows)

    def size_of(self, pid: int, subject_id: int) -> Size | None:
        """Read how many entries a container has now; None if it is not there any more."""
        try:
            return self._lengths.now(str(subject_id))
        except (TargetGone, OSError):
            return None
