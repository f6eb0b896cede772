"""Bursts on containers: for a short time it is seen who changes how many entries they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Change:
    """What one stack has done to the word since it was last asked."""

    stack_id: int
    added: int
    removed: int
    hits: int


@dataclass(frozen=True, slots=True)
class Looked:
    """A container that is looked at."""

    type: int
    """The address of its type."""

    size_address: int
    """Where its size is."""


@dataclass(frozen=True, slots=True)
class Mutated:
    """What was seen of one."""

    hits: int
    entries: int
    """How many it had when the window closed."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What one burst has seen."""

    begin_ns: int
    end_ns: int

    cost_ns: int
    """What it has cost the target."""

    seen: tuple[Mutated | None, ...]
    """Of each container; None where it is not known by which functions such are changed, or it is gone."""


class Bursts(Protocol):
    """What makes such bursts on one process; nothing is attached in between."""

    @property
    def pid(self) -> int:
        """Of the process."""
        ...

    @property
    def most(self) -> int:
        """Containers that are looked at in one burst."""
        ...

    @property
    def reasons(self) -> dict[int, str]:
        """Why there are none for a type, by its address."""
        ...

    def window(self, containers: Sequence[Looked], longest_s: float, limit: int) -> Window | None:
        """Look until there were so many hits, or fewer, or the time is up; None if there is nothing to see.

        Raises TargetGone, and NoKernelSupport if it cannot be.
        """
        ...
