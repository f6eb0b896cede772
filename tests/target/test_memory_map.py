"""Whose memory it is, by the kernel's list of mappings."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from memprobe.target.proc.memory_map import memory_map, parse_smaps, read_memory_map
from memprobe.target.proc.process import open_process
from target.looking import running

MIB = 1 << 20

# Four threads that each take 8 MB in blocks that malloc keeps in its heaps, and stay.
THREADED = """
import ctypes, sys, threading
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
filled, ended = threading.Barrier(5), threading.Event()
def fill():
    for _ in range(128):
        ctypes.memset(library.malloc(65536), 1, 65536)
    filled.wait()
    ended.wait()
for _ in range(4):
    threading.Thread(target=fill, daemon=True).start()
filled.wait()
print("ready", flush=True)
sys.stdin.readline()
"""


def line(start: int, end: int, permissions: str, name: str, used: int, inode: int = 0) -> bytes:
    head = f"{start:x}-{end:x} {permissions} 00000000 00:00 {inode} {name}".rstrip()
    return f"{head}\nRss: {used >> 10:8} kB\nPss: 4 kB\nSwap: 0 kB\nVmFlags: rd wr mr\n".encode()


def test_heaps_of_malloc_are_told_from_other_memory() -> None:
    base = 0x7F0000000000
    raw = b"".join(
        [
            line(0x1000, 0x2000, "rw-p", "[heap]", 1 * MIB),
            line(base, base + MIB, "rw-p", "", 2 * MIB),
            line(base + MIB, base + 64 * MIB, "---p", "", 0),
            line(base + 64 * MIB, base + 65 * MIB, "rw-p", "", 4 * MIB),  # nothing of it is left
            line(base + 66 * MIB, base + 67 * MIB, "rw-p", "[anon:named]", 8 * MIB),
            line(base + 68 * MIB, base + 69 * MIB, "rw-p", "/lib/x.so", 16 * MIB, inode=5),
            line(base + 70 * MIB, base + 71 * MIB, "rw-p", "[stack]", 32 * MIB),
        ]
    )
    found = memory_map(parse_smaps(raw))
    assert found.heap_bytes == 3 * MIB
    assert found.other_bytes == 12 * MIB
    assert found.pss_bytes == 7 * 4096
    assert len(found.mappings) == 7


@given(st.binary(max_size=300) | st.text("0123456789abcdef- rwxp\nRsPk:B", max_size=300).map(str.encode))
def test_whatever_smaps_says(raw: bytes) -> None:
    assert memory_map(parse_smaps(raw)).heap_bytes >= 0


def test_the_stacks_of_threads_stand_on_a_guard() -> None:
    base = 0x7F0000000000
    raw = b"".join(
        [
            line(base, base + 4096, "---p", "", 0),
            line(base + 4096, base + 8 * MIB, "rw-p", "", 1 * MIB),
            line(base + 8 * MIB, base + 8 * MIB + 4096, "---p", "", 0),
            line(base + 8 * MIB + 4096, base + 16 * MIB, "rw-p", "", 2 * MIB),
            line(base + 16 * MIB, base + 20 * MIB, "---p", "", 0),  # too large for a guard
            line(base + 20 * MIB, base + 21 * MIB, "rw-p", "", 4 * MIB),
            line(base + 64 * MIB - 4096, base + 64 * MIB, "---p", "", 0),  # the end of a heap of malloc
            line(base + 64 * MIB, base + 65 * MIB, "rw-p", "", 8 * MIB),
            line(base + 70 * MIB, base + 71 * MIB, "rw-p", "[stack]", 16 * MIB),
        ]
    )
    found = memory_map(parse_smaps(raw))
    assert found.stack_bytes == 19 * MIB
    assert found.other_bytes == 12 * MIB


def test_heaps_of_threads() -> None:
    with (
        running(sys.executable, "-c", THREADED) as target,
        open_process(target.pid) as process,
    ):
        found = read_memory_map(process)
    assert found is not None
    assert found.heap_bytes > 4 * 8 * MIB
    assert found.other_bytes < 16 * MIB
    assert 5 * 4096 <= found.stack_bytes < 2 * MIB
