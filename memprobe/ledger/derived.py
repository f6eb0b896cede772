"""Subjects that the ledger makes of what it knows itself: open descriptors, threads, memory.

They are counted whenever a process is sampled, never by a clock: a replay counts them at the same instants.

| what | type | site | counted |
|---|---|---|---|
| HANDLES | "descriptors" | | all of the process |
| HANDLES | "file", "socket", "pipe", ... | | those of one kind |
| HANDLES | "socket CLOSE_WAIT", ... | | TCP sockets that wait in a state in which nothing is sent any more |
| HANDLES | the kind, and what they have in common: "file .tmp" | the stack of one | those born at one place |
| THREADS | "threads" | | all of the process |
| MEMORY | as in `MEMORY` | | bytes |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from memprobe.abi import ProcessHow
from memprobe.ledger.entries import Mark
from memprobe.ledger.folding import Flags
from memprobe.ledger.handles import HandleLedger, OpenHandles
from memprobe.ledger.places import place_of
from memprobe.ledger.populations import DERIVED
from memprobe.ledger.sites import KIND_NAMES, STATE_NAMES
from memprobe.ledger.streams import Integers
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.rows import NOT_MEASURED, POPULATION, Rows
from memprobe.vocab.sort import common_group
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import Seen, Subject, What

ALL_DESCRIPTORS = "descriptors"
ALL_THREADS = "threads"
MEMORY: Mapping[str, str] = MappingProxyType(
    {
        "resident": "rss_bytes",
        "anonymous": "rss_anonymous_bytes",
        "Python's blocks": "python_bytes",
        "free in arenas": "arena_free_bytes",
        "C heap": "native_bytes",
        "mappings": "mmap_bytes",
        "stacks": "stack_bytes",
    }
)
"""Types of MEMORY subjects, and the fields of a SAMPLE that they are."""

WAITING = (SocketState.SYN_SENT, SocketState.SYN_RECV, SocketState.FIN_WAIT2, SocketState.CLOSE_WAIT)
"""States that a connection should leave soon: each waits for one side to do something."""

MAX_PLACES = 1024
"""Above this many, new places are counted with their kind only."""

LOOKED_AT = 32
"""So many descriptors of a place say what all have in common."""

MAX_STACKS = 1 << 16
"""Above this many, the places of stacks are worked out anew."""

Key = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Count:
    """A row in the making."""

    key: Key
    subject: Subject
    time_ns: int
    count: int
    since_ns: int = NOT_MEASURED
    """When the oldest of them was born or first seen."""

    seen: Seen = Seen.EXACTLY


class Derived:
    """Counts what the ledger knows, at every sample."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._described: dict[int, Subject] = {}
        self._places: dict[int, Key | None] = {}
        """By stack id: the key of its place; None if its frames were lost, or there are too many places."""

        self._sites: dict[Key, tuple[Frame, ...]] = {}
        self._counted: dict[int, set[Key]] = {}
        """By process: the places that were counted; they go on being counted when nothing is open there."""

        self._sampled: dict[int, int] = {}
        """By process: when it was last sampled."""

        self._pictured: dict[int, int] = {}
        """By process: the picture that was last counted."""

        self._looked_at: dict[Key, int] = {}
        """By place: how many were open when it was last looked at what they have in common."""

    def fold(
        self, handles: HandleLedger, stacks: Mapping[int, Stack], samples: Rows, processes: Rows
    ) -> tuple[Rows, dict[int, Subject]]:
        """Count what there is in each process that was sampled; return rows, and what is new of subjects."""
        self._forget(processes)
        rows: list[tuple[object, ...]] = []
        news: dict[int, Subject] = {}
        for sample in samples:
            pid, time_ns = int(sample["pid"]), int(sample["time_ns"])
            for one in self._counts(pid, time_ns, sample, handles, stacks):
                number = self._numbers.setdefault(one.key, DERIVED | len(self._numbers))
                if self._described.get(number) != one.subject:
                    self._described[number] = news[number] = one.subject
                oldest_ns = NOT_MEASURED if one.since_ns < 0 else max(0, one.time_ns - one.since_ns)
                size = one.count if one.subject.what == What.MEMORY else NOT_MEASURED
                rows.append((one.time_ns, number, pid, int(one.seen), one.count, size, oldest_ns))
            self._sampled[pid] = time_ns
        return np.array(rows, POPULATION), news

    def members(self, subject_id: int, rows: Rows) -> Flags:
        """Tell which ENTRY rows a HANDLES subject counts."""
        subject = self._described[subject_id]
        if subject.site:
            return _born_here(rows) & np.isin(rows["stack_id"], self.stacks(subject_id))
        if subject.type in _KINDS:
            return _equal(rows["kind"], _KINDS[subject.type])
        if subject.type in _STATES:
            return _equal(rows["state"], _STATES[subject.type])
        return np.ones(len(rows), bool)

    def stacks(self, subject_id: int) -> list[int]:
        """Return the ids of the stacks of a place; none if the subject has no place."""
        return [stack for stack, key in self._places.items() if key and self._numbers.get(key) == subject_id]

    def _counts(
        self, pid: int, time_ns: int, sample: np.void, ledger: HandleLedger, stacks: Mapping[int, Stack]
    ) -> Iterator[Count]:
        yield from _sampled(sample, time_ns)
        standing = ledger.standing(pid)
        if not standing.is_complete:
            return
        handles = ledger.open(pid)
        rows = handles.rows
        is_new_picture = self._pictured.get(pid, 0) != standing.pictured_ns
        if is_new_picture or (standing.is_watched and standing.pictured_ns):
            yield from _by_kind(rows, time_ns)  # a census does not say what is what
        if is_new_picture:
            self._pictured[pid] = standing.pictured_ns
            yield from _by_state(rows, time_ns)
        yield from self._by_place(pid, handles, time_ns, stacks)

    def _by_place(
        self, pid: int, handles: OpenHandles, time_ns: int, stacks: Mapping[int, Stack]
    ) -> Iterator[Count]:
        """Count what was born since the attach by place; a place that is new had nothing open before."""
        born = np.flatnonzero(_born_here(handles.rows))
        known = self._counted.setdefault(pid, set())
        empty = set(known)
        for key, places in self._places_of(handles.rows, born, stacks):
            members = handles.rows[places]
            subject = Subject(What.HANDLES, self._type(key, handles, places), site=self._sites[key])
            if key not in known and pid in self._sampled:
                yield Count(key, subject, self._sampled[pid], 0)
            known.add(key)
            empty.discard(key)
            weights = np.maximum(members["weight"], 1)
            seen = Seen.ESTIMATED if (weights > 1).any() else Seen.EXACTLY
            yield Count(key, subject, time_ns, int(weights.sum()), _since(members), seen)
        for key in sorted(empty, key=self._numbers.__getitem__):
            yield Count(key, self._described[self._numbers[key]], time_ns, 0)

    def _type(self, key: Key, handles: OpenHandles, places: Integers) -> str:
        """Name what is opened at a place; what they point to is read again when there are twice as many."""
        kind = KIND_NAMES.get(int(np.bincount(handles.rows["kind"][places]).argmax()), "other")
        known = self._described.get(self._numbers.get(key, -1))
        if known is not None and len(places) < 2 * self._looked_at[key] and known.type.startswith(kind):
            return known.type
        self._looked_at[key] = len(places)
        texts = [handles.text(int(place)) for place in places[-LOOKED_AT:]]
        return f"{kind} {common_group(kind, texts)}".rstrip()

    def _places_of(
        self, rows: Rows, born: Integers, stacks: Mapping[int, Stack]
    ) -> Iterator[tuple[Key, Integers]]:
        """Return the rows of each place; not one by one, for there can be 100,000."""
        ids, which = np.unique(rows["stack_id"][born], return_inverse=True)
        keys = [self._place(int(stack), stacks) for stack in ids]
        distinct = [key for key in dict.fromkeys(keys) if key is not None]
        numbers = {key: number for number, key in enumerate(distinct)}
        place = np.array([numbers.get(key, -1) if key else -1 for key in keys], np.int64)[which]
        for members, key in zip(_members(place, len(distinct)), distinct, strict=True):
            yield key, born[members]

    def _place(self, stack_id: int, stacks: Mapping[int, Stack]) -> Key | None:
        if stack_id not in self._places:
            frames = stacks[stack_id].frames if stack_id in stacks else ()
            key = ("place", place_of(frames))
            if not frames or (key not in self._sites and len(self._sites) >= MAX_PLACES):
                return None
            if len(self._places) >= MAX_STACKS:
                self._places.clear()
            self._sites.setdefault(key, frames)
            self._places[stack_id] = key
        return self._places[stack_id]

    def _forget(self, processes: Rows) -> None:
        if not len(processes):
            return
        how = processes["how"]
        for pid in processes["pid"][(how == ProcessHow.EXIT) | (how == ProcessHow.EXEC)].tolist():
            for known in (self._counted, self._sampled, self._pictured):
                known.pop(pid, None)


def _born_here(rows: Rows) -> Flags:
    """Tell which descriptors were born in this process since the attach, by a stack that was taken."""
    here: Flags = (rows["stack_id"] != 0) & ((rows["marks"] & Mark.COPIED) == 0)
    return here


def _equal(column: Integers, value: int) -> Flags:
    found: Flags = column == value
    return found


def _sampled(sample: np.void, time_ns: int) -> Iterator[Count]:
    """What the sample itself says."""
    if sample["fds"] != NOT_MEASURED:
        yield _total(What.HANDLES, ALL_DESCRIPTORS, time_ns, sample["fds"])
    if sample["threads"] != NOT_MEASURED:
        yield _total(What.THREADS, ALL_THREADS, time_ns, sample["threads"])
    for name, field in MEMORY.items():
        if sample[field] != NOT_MEASURED:
            yield _total(What.MEMORY, name, time_ns, sample[field])


def _by_kind(rows: Rows, time_ns: int) -> Iterator[Count]:
    """Every kind, also those of which there are none: their courses begin with 0."""
    for kind, members in enumerate(_members(rows["kind"], max(KIND_NAMES) + 1)):
        since_ns = _since(rows[members]) if len(members) else NOT_MEASURED
        yield _total(What.HANDLES, KIND_NAMES[kind], time_ns, len(members), since_ns)


def _by_state(rows: Rows, time_ns: int) -> Iterator[Count]:
    for state in WAITING:
        members = rows[rows["state"] == state]
        since_ns = _since(members) if len(members) else NOT_MEASURED
        yield _total(What.HANDLES, waiting_socket(state), time_ns, len(members), since_ns)


def waiting_socket(state: SocketState) -> str:
    """Return what a socket in this state is called."""
    return f"socket {STATE_NAMES[state]}"


_KINDS = {name: kind for kind, name in KIND_NAMES.items()}
_STATES = {waiting_socket(state): int(state) for state in WAITING}


def _total(what: What, name: str, time_ns: int, count: int, since_ns: int = NOT_MEASURED) -> Count:
    return Count((what.name, name), Subject(what, name), time_ns, int(count), since_ns)


def _since(rows: Rows) -> int:
    """Return since when the oldest of them has been open, as far as is known."""
    return int(np.where(rows["birth_ns"] != 0, rows["birth_ns"], rows["seen_ns"]).min())


def _members(numbers: Integers, count: int) -> list[Integers]:
    """Return where each number from 0 to `count` stands; others are left out."""
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(count + 1))
    return [order[begin:end] for begin, end in pairwise(bounds.tolist())]
