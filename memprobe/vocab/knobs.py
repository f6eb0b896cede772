"""What can be turned down to make memprobe cheaper, in the one order in which it is done.

Sources (and later bursts and blame) implement `Sheddable` for the knobs they have; the governor turns
them. The order is a promise to the user (README, "what it costs"), so it stands here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, runtime_checkable


class Knob(StrEnum):
    """Everything that can be shed. The order of the members is the order of shedding."""

    BURSTS = "bursts"
    """Short windows in which every allocation is traced."""

    BLAME = "blame"
    """Watchpoints on growing containers."""

    GROWTH_STACKS = "growth_stacks"
    """Python stacks of growing memory; the totals stay."""

    HANDLE_STACKS = "handle_stacks"
    """Python stacks of handles; every birth is still counted."""

    SNAPSHOTS = "snapshots"
    """How often the heap and /proc are read."""

    MEMORY_PROBES = "memory_probes"
    """Every probe on memory: rss_stat, mmap and its kin, the allocator's edges, the collector."""

    SYSCALL_PROBES = "syscall_probes"
    """Every probe on handles and processes; /proc is polled instead."""


ALL = 1
"""For `Sheddable.turn`: leave nothing out."""

NOTHING = 0
"""For `Sheddable.turn`: leave everything out."""

SHARES: Mapping[Knob, tuple[int, ...]] = MappingProxyType(
    {
        Knob.BURSTS: (NOTHING,),
        Knob.BLAME: (NOTHING,),
        Knob.GROWTH_STACKS: (NOTHING,),
        Knob.HANDLE_STACKS: (4, 16, 64, NOTHING),
        Knob.SNAPSHOTS: (2, 4, 8),
        Knob.MEMORY_PROBES: (NOTHING,),
        Knob.SYSCALL_PROBES: (NOTHING,),
    }
)
"""The settings of each knob from dear to cheap, after ALL: "one in N", NOTHING for none."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: a knob at one setting."""

    knob: Knob

    one_in: int
    """What is kept: one in this many; NOTHING for none."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An order to whoever has this knob."""

    knob: Knob

    one_in: int
    """ALL, NOTHING, or N: keep one in N."""


@runtime_checkable
class Sheddable(Protocol):
    """Something whose cost can be turned down.

    An implementation need not remember what it was told: every order is complete by itself.
    """

    @property
    def knobs(self) -> frozenset[Knob]:
        """Which knobs it has; the others are never turned on it."""
        ...

    def turn(self, knob: Knob, one_in: int) -> None:
        """Keep one in `one_in` of what the knob stands for; ALL and NOTHING are the ends.

        The order takes effect and the call returns within 50 ms, whatever the state of the target. What
        is slow (a tracepoint takes the kernel 75 ms to detach, one after the other) goes on behind it: for
        SYSCALL_PROBES first empty the map of targets, so that the programs return at their first
        look-up, then detach openat, close, socket, accept4 and fcntl, then the rest.
        A target that has gone is no error here.
        """
        ...
