"""Samples: the numbers are those of the kernel, of the cgroup and of the module gc."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from memprobe.sources.procfs.samples import take_sample
from memprobe.vocab.rows import NOT_MEASURED
from pythons import Interpreter
from sources.procfs.watching import polled, watched
from target.attaching import attached
from target.looking import WAIT, as_nobody, looked_at, needs_root, running
from target.test_memory_split import GROWN, MIB, kilobytes, real_cgroup

SIZES = {
    "rss_bytes": "VmRSS",
    "rss_peak_bytes": "VmHWM",
    "rss_anonymous_bytes": "RssAnon",
    "swap_bytes": "VmSwap",
    "vms_bytes": "VmSize",
}


def sample(pid: int) -> dict[str, int]:
    """The numbers of one sample that are not arrays."""
    with watched(pid, pictures=False) as source:
        (row,) = polled(source).samples
    return {name: int(row[name]) for name in row.dtype.names if not row[name].shape}


def test_equals_what_the_kernel_says() -> None:
    with running("prlimit", "--nofile=123:456", sys.executable, "-c", GROWN) as target:
        # Others who have the same libraries come and go.
        before = kilobytes(target.pid, "Pss", "smaps_rollup")
        row = sample(target.pid)
        sizes = {name: kilobytes(target.pid, key) for name, key in SIZES.items()}
        pss = kilobytes(target.pid, "Pss", "smaps_rollup")
    assert {name: row[name] for name in SIZES} == pytest.approx(sizes, rel=0.02)
    assert 0.98 * min(before, pss) <= row["pss_bytes"] <= 1.02 * max(before, pss)
    assert row["rss_anonymous_bytes"] <= row["uss_bytes"] <= row["rss_bytes"]
    assert row["minor_faults"] * 4096 > row["rss_anonymous_bytes"]
    assert 0 <= row["major_faults"] < row["minor_faults"]
    assert (row["pid"], row["threads"], row["fds"], row["fd_limit"]) == (target.pid, 1, 3, 123)
    assert 0 <= row["cpu_ns"] < 60_000_000_000
    assert row["gc_enabled"] == row["python_bytes"] == NOT_MEASURED


@needs_root
def test_the_limit_of_a_real_cgroup() -> None:
    with real_cgroup(512 * MIB) as group:
        enter = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
        with running(*enter, sys.executable, "-c", GROWN) as target:
            row = sample(target.pid)
    assert row["limit_bytes"] == 512 * MIB
    assert 64 * MIB < row["limit_used_bytes"] < 512 * MIB


def test_the_collector(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "collecting.py") as target, attached(target.pid) as python:
        truth = json.loads(target.ready)
        with watched(target.pid, python, pictures=False) as source:
            assert source.tier == 1
            (row,) = polled(source).samples
    collections, collected, uncollectable = truth["stats"]
    assert row["gc_enabled"] == 0
    assert row["gc_thresholds"].tolist() == truth["thresholds"]
    assert row["gc_counts"][1:].tolist() == truth["counts"][1:]
    assert row["gc_collections"].tolist() == collections
    assert (row["gc_collected"], row["gc_uncollectable"]) == (sum(collected), sum(uncollectable))
    assert row["python_bytes"] > 100_000
    assert row["arena_free_bytes"] >= 0


@pytest.mark.parametrize(
    ("way", "count", "where"),
    [
        ("small", 1_000_000, "python_bytes"),  # 16 bytes each
        ("bytes", 20_000, "native_bytes"),  # 1033 bytes each: too large for Python's own allocator
        ("large", 30 << 20, "mmap_bytes"),  # above malloc's threshold
        ("mapped", 30 << 20, "mmap_bytes"),
    ],
)
def test_whose_memory_it_is(
    interpreter: Interpreter, targets: Path, way: str, count: int, where: str
) -> None:
    with (
        interpreter.spawn(targets / "growing.py") as target,
        attached(target.pid) as python,
        looked_at(target.pid) as look,
    ):
        (before,) = take_sample(look.process, python, rarely=True)
        grown = int(target.ask(f"{way} {count}"))
        (after,) = take_sample(look.process, python, rarely=True)
    names = ("python_bytes", "native_bytes", "mmap_bytes")
    change = {name: int(after[name]) - int(before[name]) for name in names}
    lists = 8 * count if count <= 1_000_000 else 0  # the list that holds them is a large block
    assert change.pop(where) == pytest.approx(grown - lists, rel=0.1, abs=2 * MIB)
    assert all(-2 * MIB < bytes_ < lists + 2 * MIB for bytes_ in change.values())


def test_dear_numbers_are_read_rarely() -> None:
    with (
        running(sys.executable, "-c", WAIT) as target,
        watched(target.pid, pictures=False, rare_interval_s=3600.0) as source,
    ):
        rows = [polled(source).samples[0] for _ in range(5)]
    assert [row["pss_bytes"] == NOT_MEASURED for row in rows] == [False, True, True, True, True]
    assert all(row["rss_bytes"] > 0 for row in rows)
    assert [row["time_ns"] for row in rows] == sorted({row["time_ns"] for row in rows})


@needs_root
def test_of_a_foreign_process_what_is_public() -> None:
    with running(sys.executable, "-c", WAIT) as target:
        pid = target.pid

        def look() -> tuple[list[int], int, tuple[str, ...]]:
            with watched(pid) as source:
                batch = polled(source)
            row = batch.samples[0]
            values = [int(row[name]) for name in ("rss_bytes", "threads", "pss_bytes")]
            return values, len(batch.handles), batch.invisible

        values, pictures, invisible = as_nobody(look)
    assert values[0] > 0
    assert values[1:] == [1, NOT_MEASURED]
    assert pictures == 0
    assert any(f"not permitted to read /proc/{pid}/fd" in sentence for sentence in invisible)
