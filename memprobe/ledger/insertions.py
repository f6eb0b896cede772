"""Who puts entries into containers and who takes them out, as watchpoints on their sizes have shown.

A container is not under a watchpoint all the time: each watch counts for all the time since the one before,
so its changes get the weight stands_for / covered. While every change traps, a busy program is slower than
otherwise, and so counts too little; where the size that is read again says how much the container really
grew, the rates are brought in line with it. Shares are not touched by that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from memprobe.abi import ProcessHow
from memprobe.ledger.cancelling import left_over
from memprobe.ledger.populations import Key
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack, is_standard, python_frames

MAX_CONTAINERS = 1024
"""Beyond, the one that was not watched for longest is forgotten."""

MAX_STACKS = 1024
"""Of one container; what further stacks do is added to the unknown one."""

MOST_WEIGHT = 100_000.0
"""No moment speaks for more than this many of its kind."""

SEEN_WHOLE = 0.5
"""A watch that saw so much of its time slowed nobody much."""

LEAST_SIZES, MOST_SIZES = 5, 256
"""So often the size must have been read again; and so many of the last readings count."""

TELLING = 0.2
"""Net growth must be so much of all that moves for the size to say how much moved."""

CORRECTIONS = 0.05, 50.0
"""A correction beyond these is none: the container was another one meanwhile."""


@dataclass(slots=True)
class _Sums:
    """Of one stack: entries, weighted."""

    added: float = 0.0
    removed: float = 0.0
    hits: int = 0


@dataclass(slots=True)
class _Container:
    entries: int = 0
    covered_ns: int = 0
    stands_for_ns: int = 0
    hits: int = 0
    stacks: dict[int, _Sums] = field(default_factory=dict)
    nets: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_SIZES))
    """Entries more a second, by the size before and after each watch that saw but a moment of its time."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What one line of the program does to a container."""

    site: tuple[Frame, ...]
    """The stack that most often gets there, innermost first; empty if it is not known."""

    added_per_s: float
    removed_per_s: float
    left_per_s: float
    """What is left of what it adds when what the same calls remove again is put against it."""

    hits: int

    @property
    def net_per_s(self) -> float:
        """How fast the container would grow by this line alone."""
        return self.added_per_s - self.removed_per_s


@dataclass(frozen=True, slots=True)
class Filled:
    """Who fills a container, and who empties it."""

    flows: tuple[Flow, ...]
    """By line, those first that leave most behind."""

    hits: int
    covered_s: float
    """So long every change was seen."""

    stands_for_s: float
    entries: int

    @property
    def added_per_s(self) -> float:
        """By all lines together."""
        return sum(one.added_per_s for one in self.flows)

    @property
    def removed_per_s(self) -> float:
        """By all lines together."""
        return sum(one.removed_per_s for one in self.flows)


class InsertionLedger:
    """Watches added up, by process and subject."""

    def __init__(self) -> None:
        self._containers: dict[Key, _Container] = {}

    def fold(self, watches: Rows, changes: Rows, processes: Rows) -> None:
        """Take in what watchpoints have shown, and forget processes that are other programs now."""
        weights: dict[tuple[int, int, int], float] = {}
        for row in watches:  # a row per container and watch: some ten a second at most
            weights[_mark(row)] = self._watch(row)
        for row in changes:  # a row per stack of those
            container = self._containers.get((int(row["pid"]), int(row["subject_id"])))
            if container is not None:
                _add(container, row, weights.get(_mark(row), 0.0))
        self._forget(processes)

    @property
    def is_empty(self) -> bool:
        """Whether no container was watched so far."""
        return not self._containers

    def stacks(self) -> set[int]:
        """Return the ids of all stacks that are referred to."""
        return {stack for one in self._containers.values() for stack in one.stacks}

    def seen(self, key: Key) -> tuple[int, float]:
        """Return how many hits are known of a container, and the seconds that they stand for."""
        one = self._containers.get(key)
        return (0, 0.0) if one is None else (one.hits, one.stands_for_ns / 1e9)

    def filled(self, key: Key, stacks: Mapping[int, Stack]) -> Filled | None:
        """Return who fills a container; None if it was not watched."""
        one = self._containers.get(key)
        if one is None or not one.stands_for_ns:
            return None
        flows = sorted(
            _flows(one, stacks), key=lambda flow: (-flow.left_per_s, -flow.net_per_s, str(flow.site))
        )
        return Filled(tuple(flows), one.hits, one.covered_ns / 1e9, one.stands_for_ns / 1e9, one.entries)

    def _watch(self, row: np.void) -> float:
        """Note a watch, and return what its changes weigh."""
        key = int(row["pid"]), int(row["subject_id"])
        one = self._containers[key] = self._containers.pop(key, _Container())
        if len(self._containers) > MAX_CONTAINERS:
            del self._containers[next(iter(self._containers))]
        covered_ns, stands_for_ns = int(row["covered_ns"]), int(row["stands_for_ns"])
        one.entries = int(row["entries"])
        lasted_ns = int(row["end_ns"]) - int(row["time_ns"])
        if lasted_ns > 0 and covered_ns < SEEN_WHOLE * lasted_ns:
            one.nets.append((one.entries - int(row["entries_before"])) / lasted_ns * 1e9)
        one.covered_ns += covered_ns
        one.stands_for_ns += stands_for_ns
        one.hits += int(row["hits"])
        return min(stands_for_ns / covered_ns, MOST_WEIGHT) if covered_ns else 0.0

    def _forget(self, processes: Rows) -> None:
        if len(processes):
            gone = processes["pid"][processes["how"] == ProcessHow.EXEC].tolist()
            for key in [key for key in self._containers if key[0] in gone]:
                del self._containers[key]


def _mark(row: np.void) -> tuple[int, int, int]:
    return int(row["time_ns"]), int(row["pid"]), int(row["subject_id"])


def _add(container: _Container, row: np.void, weight: float) -> None:
    stack_id = int(row["stack_id"])
    if stack_id not in container.stacks and len(container.stacks) >= MAX_STACKS:
        stack_id = 0
    sums = container.stacks.setdefault(stack_id, _Sums())
    sums.added += int(row["added"]) * weight
    sums.removed += int(row["removed"]) * weight
    sums.hits += int(row["hits"])


def _flows(container: _Container, stacks: Mapping[int, Stack]) -> Iterable[Flow]:
    """One flow for each line; of the stacks that reach it the busiest stands for all."""
    known = [(stacks[one].frames if one in stacks else (), sums) for one, sums in container.stacks.items()]
    left = left_over([(frames, (sums.added, sums.removed)) for frames, sums in known])
    lines: dict[Frame | None, list[int]] = {}
    for place, (frames, _) in enumerate(known):
        lines.setdefault(_line(frames), []).append(place)
    scale = _correction(container) / (container.stands_for_ns / 1e9)
    for places in lines.values():
        same = [known[place] for place in places]
        site, _ = max(same, key=lambda one: (one[1].added + one[1].removed, str(one[0])))
        yield Flow(
            site,
            added_per_s=scale * sum(one.added for _, one in same),
            removed_per_s=scale * sum(one.removed for _, one in same),
            left_per_s=scale * sum(left[place] for place in places),
            hits=sum(one.hits for _, one in same),
        )


def _line(frames: tuple[Frame, ...]) -> Frame | None:
    """The innermost line that is not of the standard library, if there is one."""
    own = next((frame for frame in frames if not is_standard(frame)), None)
    return own or next(iter(python_frames(frames)), None)


def _correction(container: _Container) -> float:
    """How much more happened than was seen, by sizes that were read again; 1 where they do not tell.

    While most of them were read nobody emptied it at once; nor did who was seen.
    """
    stands_for_s = container.stands_for_ns / 1e9
    added = sum(one.added for one in container.stacks.values()) / stands_for_s
    removed = sum(one.removed for one in container.stacks.values()) / stands_for_s
    if len(container.nets) < LEAST_SIZES or not added - removed:
        return 1.0
    truth, seen = float(np.median(container.nets)), added - removed
    lowest, highest = CORRECTIONS
    is_telling = min(abs(truth), abs(seen)) >= TELLING * (added + removed)
    return truth / seen if is_telling and lowest <= truth / seen <= highest else 1.0
