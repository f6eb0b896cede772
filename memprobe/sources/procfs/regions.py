"""REGION rows: an address space, part by part."""

from __future__ import annotations

import time

import numpy as np

from memprobe.errors import NotPermitted, TargetGone
from memprobe.target.cpython.objects import UNREADABLE
from memprobe.target.cpython.python import Python
from memprobe.target.proc.memory_map import MemoryMap, kinds, read_memory_map
from memprobe.target.proc.process import Process
from memprobe.vocab.rows import REGION, Rows, no_rows

MAX_REGIONS = 1024
"""Of more, those are taken that use the most."""


def take_regions(process: Process, python: Python | None) -> Rows:
    """Return the address space of a process, neighbours of a kind as one; empty without the right to it."""
    whole = read_memory_map(process)
    if whole is None:
        return no_rows(REGION)
    found = list(zip(whole.residents, kinds(whole.residents, *_arenas(python, whole)), strict=True))
    # What nobody may touch is a guard, or a place that is kept free.
    found = [(one, kind) for one, kind in found if not one.mapping.permissions.startswith("---")]
    rows = np.zeros(len(found), REGION)
    rows["time_ns"], rows["pid"] = time.monotonic_ns(), process.pid
    rows["kind"] = [kind for _, kind in found]
    rows["start"] = [one.mapping.start for one, _ in found]
    rows["size_bytes"] = [one.mapping.end - one.mapping.start for one, _ in found]
    rows["used_bytes"] = [one.used_bytes for one, _ in found]
    return _largest(_joined(rows))


def _arenas(python: Python | None, whole: MemoryMap) -> tuple[list[int], int]:
    """Return the addresses of the arenas of Python, and what one takes."""
    if python is None:
        return [], 0
    try:
        arenas = python.locate_arenas(whole.mappings)[0]
    except (NotPermitted, TargetGone, *UNREADABLE):
        return [], 0
    return sorted(arena.address for arena in arenas), arenas[0].size if arenas else 0


def _joined(rows: Rows) -> Rows:
    """Make one of neighbours that touch and are of the same kind."""
    if not len(rows):
        return rows
    ends = rows["start"] + rows["size_bytes"]
    is_first = np.ones(len(rows), bool)
    is_first[1:] = (rows["start"][1:] != ends[:-1]) | (rows["kind"][1:] != rows["kind"][:-1])
    firsts = np.flatnonzero(is_first)
    joined = rows[firsts]
    for name in ("size_bytes", "used_bytes"):
        joined[name] = np.add.reduceat(rows[name], firsts)
    return joined


def _largest(rows: Rows) -> Rows:
    if len(rows) <= MAX_REGIONS:
        return rows
    return rows[np.sort(np.argsort(rows["used_bytes"], kind="stable")[-MAX_REGIONS:])]
