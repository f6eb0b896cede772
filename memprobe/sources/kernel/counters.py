"""What the kernel adds up in maps, as differences since the last look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memprobe import abi
from memprobe.abi import GrowthHow
from memprobe.native.bpf import BpfObject
from memprobe.sources.kernel.processors import possible_processors
from memprobe.vocab import rows
from memprobe.vocab.rows import Rows, no_rows

GROWTH_ROOM = 20_000
"""Entries: more than MAX_GROWTH_STACKS of lib/growth.h, which batches need room beyond."""

MAPPINGS = (GrowthHow.MMAP, GrowthHow.MMAP_FILE, GrowthHow.BRK, GrowthHow.ADVISED)
"""Growth whose events are system calls."""

_IDS = {loss.name: loss.id for loss in abi.LOSSES}


class Losses:
    """What was lost, by name."""

    def __init__(self, maps: BpfObject) -> None:
        self._maps = maps
        self._keys = bytearray(4 * len(abi.LOSSES))
        self._values = bytearray(8 * len(abi.LOSSES) * possible_processors())
        self._before = np.zeros(len(abi.LOSSES), "<u8")

    def take(self, **own: int) -> dict[str, int]:
        """What was lost since the last call; `own` are totals of what memprobe itself could not use."""
        count = self._maps.drain_map("losses", self._keys, self._values)
        counts = np.zeros_like(self._before)
        ids = np.frombuffer(self._keys, "<u4")[:count]
        counts[ids] = np.frombuffer(self._values, "<u8").reshape(len(abi.LOSSES), -1)[:count].sum(axis=1)
        for name, total in own.items():
            counts[_IDS[name]] += total
        lost, self._before = counts - self._before, counts
        return {loss.name: int(lost[loss.id]) for loss in abi.LOSSES if lost[loss.id]}


class Growth:
    """Growth by stack, process and how."""

    def __init__(self, maps: BpfObject) -> None:
        self._maps = maps
        self._keys = bytearray(abi.GROWTH_KEY.itemsize * GROWTH_ROOM)
        self._values = bytearray(abi.GROWTH_TOTAL.itemsize * GROWTH_ROOM)
        self._before = no_rows(rows.GROWTH)

    def take(self) -> Rows:
        """What has grown since the last call; pids are the kernel's."""
        now = self._read()
        difference = _difference(now, self._before)
        self._before = now
        return difference

    def forget(self, pid: int) -> None:
        """Make room: take out what belongs to a process that has ended, once it was taken."""
        mine = self._before["pid"] == pid
        keys = np.empty(int(mine.sum()), abi.GROWTH_KEY)
        for name in abi.GROWTH_KEY.names or ():
            keys[name] = self._before[name][mine]
        for key in keys:
            self._maps.delete_from_map("growth", key.tobytes())
        self._before = self._before[~mine]

    def _read(self) -> Rows:
        count = self._maps.drain_map("growth", self._keys, self._values)
        keys = np.frombuffer(self._keys, abi.GROWTH_KEY, count)
        values = np.frombuffer(self._values, abi.GROWTH_TOTAL, count)
        now = np.empty(count, rows.GROWTH)
        for part in (keys, values):
            for name in part.dtype.names or ():
                now[name] = part[name]
        return now[_order(now)]


def system_calls(growth: Rows) -> int:
    """Return how many system calls these rows tell of."""
    return int(growth["events"][np.isin(growth["how"], MAPPINGS)].sum())


_COUNTED = ("grown_bytes", "freed_bytes", "events")


def _order(growth: Rows) -> npt.NDArray[np.intp]:
    return np.lexsort((growth["how"], growth["pid"], growth["stack_id"]))


def _difference(now: Rows, before: Rows) -> Rows:
    """What was added between two readings, each sorted; an entry that is new counts as a whole."""
    both = np.concatenate((before, now))
    is_now = np.arange(len(both)) >= len(before)
    order = np.lexsort((is_now, both["how"], both["pid"], both["stack_id"]))
    ordered = both[order]
    same = np.zeros(len(both), bool)
    if len(both) > 1:
        first, second = ordered[:-1], ordered[1:]
        same[1:] = (
            (first["stack_id"] == second["stack_id"])
            & (first["pid"] == second["pid"])
            & (first["how"] == second["how"])
        )
    result = ordered.copy()
    for name in _COUNTED:
        result[name][1:][same[1:]] -= ordered[name][:-1][same[1:]]
    result = result[is_now[order]]
    return result[(result["grown_bytes"] > 0) | (result["freed_bytes"] > 0) | (result["events"] > 0)]
