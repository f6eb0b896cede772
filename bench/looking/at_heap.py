"""at_heap.py KIND PID: one look of memprobe at a heap, in a process of its own, as a line of JSON.

A process of its own, so that the peak of its memory is that of the look.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from memprobe.target.cpython.python import Python
    from memprobe.target.inspection.opening import Opened

Result = TypeVar("Result")
TURNS = 9


class Clock:
    """Seconds by what was done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], Result]) -> Result:
        """Do it and note how long it took."""
        begun = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - begun
        return result


def python_of(target: Opened) -> Python:
    """The interpreter that is looked at."""
    if target.python is None:
        raise SystemExit("no interpreter was found in the target")
    return target.python


def memory_kb(name: str) -> int:
    """VmRSS or VmHWM of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def look_census(pid: int) -> dict[str, Any]:
    """Every object, counted and measured by type: seconds of each of several walks in a row."""
    from memprobe.heap.opening import open_heap
    from memprobe.target.inspection.opening import opened

    seconds, cpu_s = [], []
    with opened(pid) as target, open_heap(target.process, python_of(target)) as heap:
        for _ in range(TURNS):
            begun, cpu_begun = time.perf_counter(), time.process_time()
            rows, _ = heap.native.census()
            seconds.append(time.perf_counter() - begun)
            cpu_s.append(time.process_time() - cpu_begun)
        counters = heap.native.counters()
    objects = int(np.frombuffer(rows, np.uint64).reshape(-1, 6)[:, 0].sum())
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "objects": objects,
        "torn": counters["torn_objects"],
        "peak_mb": memory_kb("VmHWM") / 1024,
    }


def look_graph(pid: int) -> dict[str, Any]:
    """Who refers to whom, dominators, retained sizes, garbage."""
    from memprobe.heap.dominators import find_dominators, retained_bytes
    from memprobe.heap.garbage import explain_counts, find_garbage
    from memprobe.heap.graph import TRACKED, build_graph, open_for_graph
    from memprobe.native import _heap
    from memprobe.target.inspection.opening import opened

    clock = Clock()
    before_kb = memory_kb("VmRSS")
    with opened(pid) as target, open_for_graph(target.process, python_of(target)) as heap:
        _heap.memory_in_use(True)
        graph = clock.time("graph", lambda: build_graph(heap))
        counts = clock.time("counts", lambda: explain_counts(graph.starts, graph.targets, graph.refcounts))
        # What somebody else holds, too: that is what every root is.
        roots = np.flatnonzero(counts > 0).astype(np.uint32)
        del counts
        tree = clock.time("dominators", lambda: find_dominators(graph.starts, graph.targets, roots))
        clock.time("retained", lambda: retained_bytes(tree, graph.sizes))
        peak = _heap.memory_in_use(False)[1]
        process_kb = memory_kb("VmHWM") - before_kb
        collected = (graph.flags & TRACKED).astype(np.bool_)
        clock.time("garbage", lambda: find_garbage(graph.starts, graph.targets, graph.refcounts, collected))
    return {
        "seconds": clock.seconds,
        "objects": len(graph),
        "edges": len(graph.targets),
        "reached": len(tree.order),
        "array_bytes_per_object": peak / len(graph),
        "process_bytes_per_object": process_kb * 1024 / len(graph),
    }


def look_command(pid: int, diff_s: float | None = None) -> dict[str, Any]:
    """What the reader of `memprobe heap PID` does, and the most memory that this took."""
    from memprobe.heap.look import look
    from memprobe.heap.wishes import Wishes

    begun = time.perf_counter()
    objects = look(pid, Wishes(diff_s=diff_s), lambda _: None).totals.objects
    return {"seconds": time.perf_counter() - begun, "objects": objects, "peak_kb": memory_kb("VmHWM")}


def look_difference(pid: int) -> dict[str, Any]:
    """The same for `memprobe heap PID --diff 1`."""
    return look_command(pid, 1.0)


def look_sample(pid: int) -> dict[str, Any]:
    """A census of one pool in 64, several times over, and the truth by a whole one."""
    from memprobe.heap.census import take_census
    from memprobe.heap.opening import open_heap
    from memprobe.heap.sampling import take_sample
    from memprobe.target.inspection.opening import opened

    seconds, cpu_s, inside = [], [], 0
    with opened(pid) as target:
        with open_heap(target.process, python_of(target)) as heap:
            census = take_census(heap)
        for turn in range(TURNS):
            # As a command does it: the heap is opened anew.
            begun, cpu_begun = time.perf_counter(), time.process_time()
            with open_heap(target.process, python_of(target)) as heap:
                sample = take_sample(heap, 1 / 64, seed=turn)
            seconds.append(time.perf_counter() - begun)
            cpu_s.append(time.process_time() - cpu_begun)
            inside += sample.total_count.low <= census.count <= sample.total_count.high
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "objects": census.count,
        "heap_gb": sum(row.allocated_bytes for row in census.rows) / 2**30,
        "census_s": census.seconds,
        "inside": inside,
        "turns": TURNS,
        "peak_mb": memory_kb("VmHWM") / 1024,
    }


LOOKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "census": look_census,
    "graph": look_graph,
    "command": look_command,
    "difference": look_difference,
    "sample": look_sample,
}

if __name__ == "__main__":
    print(json.dumps(LOOKS[sys.argv[1]](int(sys.argv[2]))))
