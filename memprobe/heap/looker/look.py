"""One look at a heap, as plain data: what the child does that is forked for it.

opened        the process, as it is now
Surveyor      what may pile up there, with its numbers
places_of     where the lengths of the collections lie that are to be watched until the next look
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice
from typing import Any, Protocol

from memprobe.errors import PidRecycled, TargetExited
from memprobe.heap.containers import places_of
from memprobe.heap.looker.keys import sampled_keys
from memprobe.heap.reaching import translated
from memprobe.heap.room import limit_memory
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.surveyor import Surveyor
from memprobe.target.cpython.python import Python
from memprobe.target.inspection.opening import opened
from memprobe.target.proc.process import Process
from memprobe.vocab import TargetId
from memprobe.vocab.subject import Subject
from memprobe.vocab.subject_lists import subject_to_list

MOST_SUBJECTS = 4096
"""Of one look. A surveyor is bounded by itself; this bounds memprobe, whatever it says."""

MOST_KEYED = 32
"""Collections that grow whose keys are sampled, if that is asked for."""

MOST_WATCHED = 512
"""Collections whose lengths are read every second: those that grow, then the largest."""


class Known(Protocol):
    """What is known of the looks before."""

    @property
    def keys(self) -> Iterable[str]:
        """The keys of all subjects."""
        ...

    def knows(self, key: str, subject: Subject) -> bool:
        """Whether a subject is known under a key already, just as it is."""
        ...


def look(
    target: TargetId, remembered: bytes, lengths: dict[str, int], known: Known, *, with_keys: bool = False
) -> dict[str, Any]:
    """Look at the heap of a process; raises what `inspect` raises of what cannot be looked into.

    `remembered` and `lengths` are what the look before came to. Only `with_keys` are any keys read.
    """
    limit_memory()
    with opened(target.pid, contents=False) as found:
        if found.process.id != target:
            raise PidRecycled(f"the pid {target.pid} belongs to another process now")
        if found.python is None:
            assert found.obstacle is not None
            raise found.obstacle
        with _translated(found.process):
            return _surveyed(found.process, found.python, remembered, lengths, known, with_keys)


def _surveyed(
    process: Process, python: Python, remembered: bytes, lengths: dict[str, int], known: Known, keyed: bool
) -> dict[str, Any]:
    begin_ns = time.monotonic_ns()
    surveyor = Surveyor(process, python, remembered)
    counted = list(islice(surveyor.survey(), MOST_SUBJECTS))
    end_ns = time.monotonic_ns()
    best = _chosen(counted, lengths)
    chosen = [(one.key, each) for one in best for each in one.watched]
    grown = [(one.key, one.watched[0]) for one in best if _growth(one, lengths) > 0] if keyed else []
    places = places_of(python, (one for _, one in chosen))
    process.check()
    return {
        "look": [begin_ns, end_ns, surveyor.evidence.torn_objects],
        "remarks": surveyor.evidence.remarks,
        "remembered": base64.b64encode(surveyor.remembered).decode(),
        "counted": [_plain(one, known) for one in counted],
        "untold": [key for key in known.keys if surveyor.leaves_open(key)],
        "header": [python.layout.offset("PyObject.ob_refcnt"), python.layout.offset("PyObject.ob_type")],
        "keys": sampled_keys(python, grown[:MOST_KEYED]),
        "watched": [[key, *place] for (key, _), place in zip(chosen, places, strict=True)],
    }


def _plain(one: Counted, known: Known) -> list[Any]:
    subject = None if known.knows(one.key, one.subject) else subject_to_list(one.subject)
    is_watched = bool(one.watched)
    return [one.key, one.count, one.bytes, one.first, int(one.seen), is_watched, subject, one.time_ns]


def _chosen(counted: Sequence[Counted], before: dict[str, int]) -> list[Counted]:
    """Choose the subjects that grew most since the look before, then the largest."""

    def rank(one: Counted) -> tuple[int, int]:
        return max(_growth(one, before), 0), one.count or 0

    best = sorted((one for one in counted if one.watched), key=rank, reverse=True)
    collections = accumulate(len(one.watched) for one in best)
    return [one for one, together in zip(best, collections, strict=True) if together <= MOST_WATCHED]


def _growth(one: Counted, before: dict[str, int]) -> int:
    """Return how much longer it is than at the look before, if it was there."""
    length = one.count or 0
    return length - before.get(one.key, length)


@contextmanager
def _translated(process: Process) -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:  # a process gives up its files before it is a zombie
        raise TargetExited(f"process {process.pid} ended while it was being read") from None
    except OSError as error:
        raise translated(process, error) from None
