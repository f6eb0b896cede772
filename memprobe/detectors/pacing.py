"""What grows at one pace with something else, and is of one cause with it.

A request that leaks leaves its mark in many places: the sockets, the selector's keys of them, the weak
references of a registry. All of these grow by a whole number a request. Equal pace alone proves nothing, two
leaks of one loop have it too; so one of the two must be plumbing, or they must be tied in another way.
"""

from __future__ import annotations

import sys

from memprobe.detectors.evidence import Grown, Suspect
from memprobe.detectors.makers import made_by
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import own_frame

MANY = 8
"""No more than so many things of one sort are left behind by one request, as far as this goes."""

TOLERANCE = 0.04
"""Two paces are measured to about two percent each."""

ALIKE = frozenset({Kind.CYCLES, Kind.NATIVE})
"""Kinds that come type by type: of one cycle, of one lost reference, every type grows."""

_RESOURCES = frozenset({Kind.THREADS, Kind.SOCKETS, Kind.HANDLES, Kind.TIMERS, Kind.TASKS})
_PLUMBERS = frozenset({"selectors", "asyncio", "_asyncio", "concurrent", "multiprocessing", "contextvars"})
"""Modules whose objects nobody collects on purpose."""

_WEAK = ("weakref", "ReferenceType", "KeyedRef")


def at_one_pace(one: Suspect, other: Suspect, many: int = MANY) -> bool:
    """Tell whether one grows by a whole number while the other grows by one."""
    return bool(one.grown and other.grown) and in_step(one.grown[0], other.grown[0], many)


def in_step(one: Grown, other: Grown, many: int = MANY) -> bool:
    """Tell the same of what they rest on."""
    slow, fast = sorted((one.growth.per_s, other.growth.per_s))
    if one.pid != other.pid or slow <= 0:
        return False
    times = fast / slow
    return round(times) <= many and abs(times - round(times)) <= TOLERANCE * times


def goes_with(one: Suspect, other: Suspect) -> bool:
    """Tell whether two suspects are of one cause, as far as their pace and what they are can tell."""
    if one.kind == other.kind and one.kind in ALIKE:
        return at_one_pace(one, other)
    if any(is_plumbing(suspect) or is_under_a_loop(suspect) for suspect in (one, other)):
        return at_one_pace(one, other, 1 if one.kind == other.kind else MANY)
    return (_makes(one, other) or _makes(other, one)) and at_one_pace(one, other)


def is_under_a_loop(suspect: Suspect) -> bool:
    """Tell whether a library makes it on its own: of the program only the line is known that runs it all."""
    frame = own_frame(suspect.site)
    return frame is not None and len(suspect.site) > 1 and frame.function == "<module>"


def is_plumbing(suspect: Suspect) -> bool:
    """Tell whether it is kept by the standard library, for its own purposes."""
    if suspect.kind == Kind.NATIVE and suspect.holder:  # of objects: what has a type of the program says more
        return "." not in suspect.type
    root, dot, _ = suspect.holder.partition(".")
    is_inside = bool(dot) and root in sys.stdlib_module_names
    return is_weak(suspect) or is_inside or suspect.type.partition(".")[0] in _PLUMBERS


def is_weak(suspect: Suspect) -> bool:
    """Tell whether it consists of weak references: they keep nothing alive, so they are never the cause."""
    return suspect.type.startswith(_WEAK)


def names_last(suspect: Suspect) -> tuple[bool, bool, bool]:
    """Return what speaks against naming a leak by this suspect, the most first."""
    is_plumbed = is_plumbing(suspect) and suspect.kind not in _RESOURCES
    return is_weak(suspect), is_plumbed, is_under_a_loop(suspect)


def _makes(held: Suspect, made: Suspect) -> bool:
    """Tell whether one is made in a method of what the other holds: a file opened in its constructor."""
    return any(made_by(held.type, frame) for frame in made.site)
