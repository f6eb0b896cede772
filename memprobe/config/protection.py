"""What is never reported: patterns of paths, peers, types and holders, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from memprobe.config.places import Place

MOST_LETTERS = 1000
"""Of a pattern, and of a reason."""


class Aspect(StrEnum):
    """What of a finding a pattern is compared with."""

    PATH = "path"
    """What all its descriptors point to."""

    PEER = "peer"
    """Whom all its sockets are connected to: address and port, or the path of a UNIX socket."""

    TYPE = "type"
    """What piles up."""

    HOLDER = "holder"
    """Who keeps it alive."""


@dataclass(frozen=True, slots=True)
class Protection:
    """One pattern: `*` stands for anything, dots and slashes too, and every other letter for itself."""

    aspect: Aspect
    pattern: str
    reason: str
    place: Place = field(default_factory=Place, compare=False)

    def matches(self, text: str) -> bool:
        """Return whether a path, a peer, a type or a holder is meant."""
        first, *rest = self.pattern.split("*")
        if not rest:
            return text == first
        *between, last = rest
        place = len(first)
        for part in between:
            found = text.find(part, place)
            if found < 0:
                return False
            place = found + len(part)
        return text.startswith(first) and text.endswith(last) and place + len(last) <= len(text)

    def __str__(self) -> str:
        return f"{self.aspect} {self.pattern!r}"
