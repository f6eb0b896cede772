"""Cost samples as blobs: a table of numbers, each as its difference from the sample before.

Five a second with 130 counters each, of which most stand still: a second takes some 0.5 kB.

    head    JSON: [[name, hook] of each program]; NULL where it is that of the row before
    data    zlib(differences), i64 little-endian, counter by counter; a row with a head begins at 0
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.recording.columns import LEVEL, BadBlob, inflated
from memprobe.vocab.costs import CostSample, Hook, ProgramRuns, SourceCosts

Head: TypeAlias = tuple[tuple[str, str], ...]
"""Name and hook of each program."""

Block: TypeAlias = tuple[int, str | None, bytes]
"""Samples, head, data."""

Numbers: TypeAlias = npt.NDArray[np.int64]

MAX_SAMPLES, MAX_PROGRAMS = 1 << 16, 1 << 12
"""A block with more is broken or hostile."""

_OWN = ("time_ns", "own_cpu_ns", "own_rss_bytes", "machine_busy_ns")
_SOURCE = tuple(one.name for one in fields(SourceCosts) if one.name != "programs")
_ADDED = 2
"""The last fields of _SOURCE, which older files do not have; they are 0 there."""

_PROGRAM = ("runs", "run_ns", "target_runs")
_UNKNOWN = -1
"""For None: counters are never below 0."""


class CostPacker:
    """Samples into blocks."""

    def __init__(self) -> None:
        self._head: Head | None = None
        self._last: Numbers | None = None
        self._waiting: list[CostSample] = []

    def add(self, sample: CostSample) -> Iterator[Block]:
        """Take a sample; yield the block that ends before it, if the programs are others from now on."""
        if self._waiting and _head(sample) != _head(self._waiting[0]):
            yield from self.take()
        self._waiting.append(sample)

    def take(self) -> Iterator[Block]:
        """Yield what has come since the last block."""
        if not self._waiting:
            return
        head = _head(self._waiting[0])
        is_new, self._head = head != self._head, head
        numbers = np.array([_numbers(sample) for sample in self._waiting], np.int64)
        before = np.zeros_like(numbers[0]) if is_new or self._last is None else self._last
        differences = np.diff(numbers, axis=0, prepend=before[None])
        self._last, self._waiting = numbers[-1], []
        data = zlib.compress(differences.T.astype("<i8").tobytes(), LEVEL)
        yield len(numbers), json.dumps(head) if is_new else None, data


def unpacked_costs(blocks: Iterable[Block]) -> Iterator[CostSample]:
    """Yield the samples of blocks in order; raises BadBlob."""
    head: Head = ()
    last: Numbers | None = None
    for count, text, data in blocks:
        if text is not None:
            head, last = _head_of(text), None
        common = len(_OWN) + len(_SOURCE)
        width = common + len(_PROGRAM) * len(head)
        if not 0 < count <= MAX_SAMPLES:
            raise BadBlob(f"{count} cost samples")
        content = inflated(data, 8 * count * width)
        missing = width - len(content) // (8 * count)
        if missing not in (0, _ADDED) or len(content) != 8 * count * (width - missing):
            raise BadBlob("cost samples that are cut off")
        differences = np.frombuffer(content, "<i8").reshape(width - missing, count).T
        differences = np.insert(differences, [common - missing] * missing, 0, axis=1)
        numbers = np.cumsum(differences, axis=0)
        if last is not None:
            numbers = numbers + last
        last = numbers[-1]
        for row in numbers.tolist():
            yield _sample(row, head)


def _head(sample: CostSample) -> Head:
    return tuple((program.name, program.hook.value) for program in sample.sources.programs)


def _head_of(text: str) -> Head:
    stored = json.loads(text)
    if not isinstance(stored, list) or len(stored) > MAX_PROGRAMS:
        raise BadBlob("a head of cost samples that is none")
    return tuple((str(name), Hook(hook).value) for name, hook in stored)


def _numbers(sample: CostSample) -> list[int]:
    values = [getattr(sample, name) for name in _OWN]
    values += [getattr(sample.sources, name) for name in _SOURCE]
    values += [getattr(program, name) for program in sample.sources.programs for name in _PROGRAM]
    return [_UNKNOWN if value is None else int(value) for value in values]


def _sample(row: list[int], head: Head) -> CostSample:
    values = iter([None if value == _UNKNOWN else value for value in row])
    own = {name: next(values) for name in _OWN}
    source = {name: next(values) for name in _SOURCE}
    source["target_syscalls_exact"] = bool(source["target_syscalls_exact"])
    programs = tuple(
        ProgramRuns(name, Hook(hook), **{field: next(values) for field in _PROGRAM}) for name, hook in head
    )
    return CostSample(**own, sources=SourceCosts(programs=programs, **source))  # type: ignore[arg-type]
