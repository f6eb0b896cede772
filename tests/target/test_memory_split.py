from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from memprobe.target.proc.cgroups import (
    Hierarchy,
    cgroup_paths,
    hierarchies,
    memory_limit,
    nearest_limit,
    thread_limit,
)
from memprobe.target.proc.memory_split import read_memory_split, sum_smaps
from memprobe.target.proc.process import open_process
from patience import until
from target.looking import WAIT, as_nobody, needs_root, running

MIB = 1 << 20
SIZES = ("VmRSS", "VmHWM", "VmSize", "VmSwap", "RssAnon")
GROWN = f"grown = bytearray(b'x' * (64 << 20)); {WAIT}"


def kilobytes(pid: int, name: str, file: str = "status") -> int:
    (line,) = [
        line for line in Path(f"/proc/{pid}/{file}").read_text().splitlines() if line.startswith(f"{name}:")
    ]
    return int(line.split()[1]) * 1024


def private_and_proportional(pid: int) -> tuple[int, int]:
    private = sum(kilobytes(pid, f"Private_{kind}", "smaps_rollup") for kind in ("Clean", "Dirty"))
    return private, kilobytes(pid, "Pss", "smaps_rollup")


def test_equals_what_the_kernel_says() -> None:
    with running(sys.executable, "-c", GROWN) as target, open_process(target.pid) as process:
        before = private_and_proportional(target.pid)
        split = read_memory_split(process)
        status = {name: kilobytes(target.pid, name) for name in SIZES}
        after = private_and_proportional(target.pid)
    sizes = [
        split.rss_bytes,
        split.rss_peak_bytes,
        split.vms_bytes,
        split.swap_bytes,
        split.rss_anonymous_bytes,
    ]
    # A blocked process may still fault a page in; files are shared with others that come and go.
    assert sizes == pytest.approx(list(status.values()), rel=0.02)
    for found, one, other in zip((split.uss_bytes, split.pss_bytes), before, after, strict=True):
        assert 0.98 * min(one, other) <= (found or 0) <= 1.02 * max(one, other)
    ascending = [64 * MIB, split.uss_bytes, split.pss_bytes, split.rss_bytes, split.rss_peak_bytes]
    assert ascending == sorted(ascending, key=lambda size: size or 0)


def test_smaps_adds_up_to_the_rollup() -> None:
    with running(sys.executable, "-c", GROWN) as target:
        names = ("Rss", "Private_Dirty", "Private_Clean", "Swap", "Anonymous")
        before = [kilobytes(target.pid, name, "smaps_rollup") for name in names]
        summed = sum_smaps(Path(f"/proc/{target.pid}/smaps").read_bytes())
        after = [kilobytes(target.pid, name, "smaps_rollup") for name in names]
        for name, one, other in zip(names, before, after, strict=True):
            assert 0.98 * min(one, other) - 4096 <= summed[name] <= 1.02 * max(one, other) + 4096


def test_garbage_in_smaps_is_left_out() -> None:
    assert sum_smaps(b"Rss: 1 kB\nRss: x kB\n7f-8f rw-p 0 0:0 0 kB\nRss: 2 kB\nPss: -1 kB") == {"Rss": 3072}


@needs_root
def test_foreign_process_without_rights() -> None:
    """RSS is public, PSS and USS are not: None, never 0."""
    with running(sys.executable, "-c", GROWN) as target:
        pid = target.pid

        def look() -> tuple[int | None, int | None, int | None]:
            with open_process(pid) as process:
                split = read_memory_split(process)
            return split.rss_bytes, split.pss_bytes, split.uss_bytes

        resident, *others = as_nobody(look)
        assert resident == pytest.approx(kilobytes(pid, "VmRSS"), rel=0.02)
        assert others == [None, None]


def tree(folder: Path, version: int, limits: dict[str, tuple[str, str]]) -> Hierarchy:
    """A made-up cgroup hierarchy: path to limit and usage."""
    names = (
        ("memory.limit_in_bytes", "memory.usage_in_bytes")
        if version == 1
        else ("memory.max", "memory.current")
    )
    for path, values in limits.items():
        group = folder / path.strip("/")
        group.mkdir(parents=True, exist_ok=True)
        for name, value in zip(names, values, strict=True):
            (group / name).write_text(f"{value}\n")
    return Hierarchy(version, "/", str(folder))


UNLIMITED = {1: "9223372036854771712", 2: "max"}


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_with_the_least_room(tmp_path: Path, version: int) -> None:
    none = UNLIMITED[version]
    limits = {
        "/": (none, "900"),
        "/a": ("1000", "800"),
        "/a/b": ("500", "100"),
        "/a/b/c": (none, "50"),
        "/d": (none, "1"),
    }
    hierarchy = tree(tmp_path, version, limits)
    found = nearest_limit(hierarchy, "/a/b/c")
    assert found is not None
    assert (found.limit_bytes, found.used_bytes, found.group, found.version) == (1000, 800, "/a", version)
    assert nearest_limit(hierarchy, "/d") is None
    assert nearest_limit(hierarchy, "/") is None


@pytest.mark.parametrize("version", [1, 2])
def test_as_a_container_sees_it(tmp_path: Path, version: int) -> None:
    """The mount shows the container's own cgroup as its root."""
    own = tree(tmp_path, version, {"/": ("1000", "10"), "/worker": (UNLIMITED[version], "5")})
    hierarchy = Hierarchy(version, "/docker/abc", own.folder)
    for path, group in {"/docker/abc": "/", "/docker/abc/worker": "/"}.items():
        found = nearest_limit(hierarchy, path)
        assert found is not None
        assert (found.limit_bytes, found.group) == (1000, group)
    for outside in ("/docker/other", "/", "/../../system.slice", "/docker/abcd"):
        assert nearest_limit(hierarchy, outside) is None


def test_version_1_knows_the_limit_of_ancestors_that_are_not_visible(tmp_path: Path) -> None:
    hierarchy = tree(tmp_path, 1, {"/": (UNLIMITED[1], "10")})
    (tmp_path / "memory.stat").write_text("cache 1\nhierarchical_memory_limit 2000\n")
    found = nearest_limit(hierarchy, "/")
    assert found is not None
    assert (found.limit_bytes, found.used_bytes) == (2000, 10)


def test_files_that_make_no_sense(tmp_path: Path) -> None:
    hierarchy = tree(tmp_path, 2, {"/": ("-5", "x"), "/a": ("", ""), "/b": ("1000", "garbage")})
    assert nearest_limit(hierarchy, "/a") is None
    found = nearest_limit(hierarchy, "/b")
    assert found is not None
    assert (found.limit_bytes, found.used_bytes) == (1000, None)
    assert nearest_limit(hierarchy, "/" + "x/" * 10_000) is None


MOUNTINFO = r"""
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
35 31 0:32 /docker/a\040b /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpu,memoryless rw - cgroup cgroup rw,cpu,memoryless
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
broken line
"""


def test_hierarchies_in_mountinfo() -> None:
    assert hierarchies(MOUNTINFO, "/p") == [
        Hierarchy(1, "/docker/a b", "/p/sys/fs/cgroup/memory"),
        Hierarchy(2, "/", "/p/sys/fs/cgroup/unified"),
    ]


def test_cgroup_paths() -> None:
    text = "9:name=systemd:/\n4:memory,cpu:/a:b\n0::/c\nnonsense"
    assert cgroup_paths(text)["memory"] == cgroup_paths(text)["cpu"] == "/a:b"
    assert cgroup_paths("4:memory:/a\n0::/c")[""] == "/c"


def is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:  # the last process is still leaving
        return False
    return True


@contextmanager
def real_cgroup(limit: int) -> Iterator[Path]:
    """A cgroup of this machine with a memory limit, below the one of the tests."""
    paths = cgroup_paths(Path("/proc/self/cgroup").read_text())
    for hierarchy in hierarchies(Path("/proc/self/mountinfo").read_text(), ""):
        path = paths.get("memory" if hierarchy.version == 1 else "")
        group = Path(hierarchy.folder + (path or "")) / f"memprobe-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / ("memory.limit_in_bytes" if hierarchy.version == 1 else "memory.max")).write_text(
                str(limit)
            )
        except OSError:
            group.rmdir()
            continue
        try:
            yield group
        finally:
            until(partial(is_removed, group))
        return
    pytest.skip("no cgroup with a memory limit can be made here")


@needs_root
def test_limit_of_a_real_cgroup() -> None:
    with real_cgroup(512 * MIB) as group:
        enter = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
        with running(*enter, sys.executable, "-c", GROWN) as target, open_process(target.pid) as process:
            found = memory_limit(process)
            assert found is not None
            assert found.limit_bytes == 512 * MIB
            assert found.used_bytes is not None
            assert 64 * MIB < found.used_bytes < 512 * MIB
            assert found.group.endswith(group.name)


def test_the_limit_of_threads_is_known_and_counts_at_least_this_one() -> None:
    with running(sys.executable, "-c", WAIT) as target, open_process(target.pid) as process:
        found = thread_limit(process)
    assert found is not None
    limit, used = found
    assert 2 <= used <= limit <= int(Path("/proc/sys/kernel/threads-max").read_text())
