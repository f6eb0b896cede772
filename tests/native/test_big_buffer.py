"""Arrays beyond the memory limit are files without a name, and a full disk is an error."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memprobe.heap.arrays import view
from memprobe.native import _heap

NODES = 300_000
GIB = 1 << 30


@pytest.fixture
def no_memory(tmp_path: Path) -> Iterator[Path]:
    """Nothing may be in memory; the folder is where the files go."""
    _heap.set_memory_limit(0, str(tmp_path))
    yield tmp_path
    _heap.set_memory_limit(GIB, "/var/tmp")


def chain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = np.minimum(np.arange(NODES + 1), NODES - 1).astype(np.uint64)
    return starts, np.arange(1, NODES, dtype=np.uint32), np.zeros(1, np.uint32)


def run() -> tuple[_heap.BigBuffer, _heap.BigBuffer]:
    return _heap.dominators(*chain(), 1)


def test_results_do_not_depend_on_where_they_are(no_memory: Path) -> None:
    on_disk = run()
    _heap.set_memory_limit(GIB, "/var/tmp")
    in_memory = run()
    assert [one.on_disk for one in on_disk + in_memory] == [True, True, False, False]
    for one, other in zip(on_disk, in_memory, strict=True):
        assert np.array_equal(view(one, np.uint32), view(other, np.uint32))


def test_the_files_have_no_name(no_memory: Path) -> None:
    kept = run()
    assert kept[0].on_disk
    assert list(no_memory.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(no_memory: Path) -> None:
    _heap.set_memory_limit(0, str(no_memory / "none"))
    with pytest.raises(FileNotFoundError):
        run()


def test_a_folder_with_a_very_long_name_is_refused() -> None:
    with pytest.raises(ValueError, match="200"):
        _heap.set_memory_limit(0, "/" + "x" * 300)


FULL = """
import sys, numpy as np
from memprobe.native import _heap
_heap.set_memory_limit(0, sys.argv[1])
starts = np.minimum(np.arange(300_001), 299_999).astype(np.uint64)
try:
    _heap.dominators(starts, np.arange(1, 300_000, dtype=np.uint32), np.zeros(1, np.uint32), 1)
except OSError as error:
    print(error.errno)
print(_heap.memory_in_use(0)[0])
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_an_error_and_not_a_signal(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=2M none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, tmp_path, sys.executable, "-c", FULL, tmp_path],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.split() == [str(errno.ENOSPC), "0"], done.stderr


def test_memory_is_counted_and_given_back() -> None:
    before = _heap.memory_in_use(True)[0]
    idom, order = run()
    held, peak = _heap.memory_in_use(False)
    assert held - before >= len(idom) * 4 + len(order) * 4
    assert peak > held
    del idom, order
    assert _heap.memory_in_use(False)[0] == before


def test_a_buffer_that_is_looked_at_cannot_be_closed() -> None:
    idom, order = run()
    shown = view(idom, np.uint32)
    with pytest.raises(BufferError):
        idom.close()
    del shown
    idom.close()
    with pytest.raises(ValueError, match="closed"):
        memoryview(idom)
    assert len(idom) == 0
    assert len(order) == NODES


def test_buffers_are_typed_and_read_only() -> None:
    idom, _ = run()
    shown = memoryview(idom)
    assert (shown.format, shown.itemsize, shown.shape, shown.readonly) == ("I", 4, (NODES,), True)
    with pytest.raises(TypeError):
        shown[0] = 1
    with pytest.raises(TypeError, match="cannot create"):
        type(idom)()
