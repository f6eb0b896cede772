"""What may pile up in a process: the things whose numbers are followed over time.

A source says what a subject is once and afterwards only how many there are (`rows.POPULATION`); a model looks
at the numbers, and a detector says what kind of leak it is, if it is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from memprobe.vocab.stack import Frame

ALL_COUNTED = "what they take is counted as theirs"
"""Note of a TYPE: its objects have no memory beside their own; what they hold are objects again."""

KEYS_RISE = "its keys are numbers that only rise: none of them comes again"
KEYS_AT_RANDOM = "its keys are random UUIDs: none of them comes again"
NEVER_AGAIN = frozenset({KEYS_RISE, KEYS_AT_RANDOM})
"""Notes of a CONTAINER: there is no end to the keys that it may be filled with."""

SAME_AGAIN = "it has the same callbacks again and again, and each is called as often"
DEAD_WEIGHT = "its methods keep objects alive that nothing else holds"
"""Notes of a CONTAINER of callables: what sort they are."""


class What(IntEnum):
    """What is counted."""

    TYPE = 1
    """All objects of one type."""

    CONTAINER = 2
    """The entries of one collection."""

    HOLDER = 3
    """What one object keeps alive, itself no collection: an instance, a frame, a chain of objects."""

    GARBAGE = 4
    """Objects of one type in cycles that nothing reaches and the collector has not freed."""

    UNCOLLECTABLE = 5
    """Objects of one type in gc.garbage."""

    UNHELD = 6
    """Objects of one type with references that nothing known has: native code holds them."""

    TASKS = 7
    """asyncio tasks of one coroutine, at the line where they wait."""

    ENDED_TASKS = 8
    """asyncio tasks and futures that have ended and are kept."""

    TIMERS = 9
    """Scheduled calls of one callback."""

    QUEUE = 10
    """Calls that wait in an executor."""

    THREADS = 11
    """Threads of one sort, by what they run."""

    HANDLES = 12
    """Open descriptors born at one place."""

    MEMORY = 13
    """Bytes of the process by what they are: resident, native, free in arenas, mapped."""


class Elements(IntEnum):
    """What a collection is filled with, as far as it decides what kind of leak it would be."""

    UNKNOWN = 0
    DATA = 1
    """Anything else."""

    CALLABLES = 2
    """Functions, bound methods, partials, or weak references to them: a registry."""

    TASKS = 3
    TIMERS = 4
    THREADS = 5
    """Threads, or the locks of threads."""

    HANDLES = 6
    """Files, pipes and other things with a descriptor."""

    SOCKETS = 7
    EXCEPTIONS = 8
    """Exceptions, tracebacks and frames."""


class Seen(IntFlag):
    """How well a population was seen."""

    EXACTLY = 0
    ESTIMATED = 1
    """From a sample."""

    CHURNING = 2
    """So many came and went meanwhile that the count is rough."""

    DIED = 4
    """It is there no more; the subject gets no more rows under this number."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that may pile up."""

    what: What

    type: str = ""
    """What piles up, qualified: "app.models.Session", a coroutine, a callback; "" if it is not known."""

    holder: str = ""
    """Who keeps it alive, as a path a person can type; "" if there is nobody, or nobody knows."""

    site: tuple[Frame, ...] = ()
    """Where they are made, wait or were put in, innermost first."""

    container: str = ""
    """Of a collection: its own type."""

    elements: Elements = Elements.UNKNOWN

    limit: int | None = None
    """The most entries it can ever have (maxlen, maxsize), if it says so."""

    chain: tuple[str, ...] = ()
    """The holders above this one, outermost first: a cache that holds the sessions that hold the sockets."""

    notes: tuple[str, ...] = ()
    """What else is known of it, as sentences: "the collector is off", "has __del__"."""
