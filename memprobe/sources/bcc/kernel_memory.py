"""The kernel's memory, read through a program that memprobe runs itself (probes/peek.bpf.c)."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.native.bpf import BpfObject

PEEK_BYTES = 4096
"""As in peek.bpf.c."""

NODES_LIMIT = 1 << 20
"""Of a list that is followed: more than there can be processes."""

_ADDRESSES = (1 << 64) - 1
_ONLY = struct.pack("=I", 0)
_PEEK = np.dtype(
    [
        ("task", "<u8"),
        ("tid", "<u4"),
        ("pid", "<u4"),
        ("maps", "<u8", 2),
        ("copies", "<u8", 2),
        ("failed", "<i8"),
        ("bytes", f"V{PEEK_BYTES}"),
    ]
)

Words = npt.NDArray[np.uint64]


def is_kernel_pointer(word: int) -> bool:
    """Whether this can be an address of the kernel's memory."""
    return word >> 47 == 0x1FFFF


@dataclass(frozen=True, slots=True)
class Thread:
    """One of memprobe's own threads, as it knows itself and as the kernel does."""

    task: int
    """Where the kernel has its task_struct."""

    pid: int
    """As the initial pid namespace numbers its process ..."""

    tid: int
    """... and itself."""

    own_tid: int
    """As memprobe's own pid namespace numbers it."""

    pointer: int
    """pthread_self(): fs base on x86-64."""


class KernelMemory:
    """Reads it; from any thread."""

    def __init__(self, peek: BpfObject) -> None:
        """`peek` is the object of that name, loaded."""
        self._peek = peek
        self._lock = threading.Lock()

    def read(self, address: int, size: int) -> bytes:
        """Return what is at an address, up to PEEK_BYTES; empty if that cannot be read."""
        seen = self._look(address, size)
        return b"" if seen["failed"] else seen["bytes"].tobytes()[:size]

    def words(self, address: int, count: int) -> Words:
        """Return the words from an address on, as many as can be read in whole steps of 256 bytes."""
        found = b""
        while len(found) < 8 * count:
            size = min(PEEK_BYTES, 8 * count - len(found))
            part = self.read(address + len(found), size)
            while not part and size > 256:
                size = size // 2 & ~0xFF or 256
                part = self.read(address + len(found), size)
            if not part:
                break
            found += part
        return np.frombuffer(found, "<u8")

    def word(self, address: int) -> int:
        """Return one word; 0 if it cannot be read."""
        return int.from_bytes(self.read(address, 8), "little")

    def ring(self, begin: int) -> Iterator[int]:
        """Yield the nodes of a list, from one on, until one comes again.

        Who is taken off it meanwhile may lead elsewhere, but not for ever.
        """
        seen: set[int] = set()
        node = begin
        while is_kernel_pointer(node) and node not in seen and len(seen) < NODES_LIMIT:
            seen.add(node)
            yield node
            node = self.word(node)

    def this_thread(self) -> Thread:
        """Return the thread that calls."""
        seen = self._look(0, 0)
        return Thread(
            int(seen["task"]),
            int(seen["pid"]),
            int(seen["tid"]),
            threading.get_native_id(),
            threading.get_ident(),
        )

    def copies(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return where two per-CPU maps lie, and where this CPU's copies of their values do."""
        seen = self._look(0, 0)
        (one, other), (own, others) = seen["maps"].tolist(), seen["copies"].tolist()
        return (one, other), (own, others)

    def _look(self, address: int, size: int) -> np.void:
        with self._lock:
            self._peek.run("peek", struct.pack("=2Q", address & _ADDRESSES, size))
            content = self._peek.read_map("peeked", _ONLY)
        seen: np.void = np.frombuffer(content or b"", _PEEK)[0]
        return seen


@contextmanager
def sleeping_threads(memory: KernelMemory, count: int) -> Iterator[list[Thread]]:
    """Have some more threads for a while, which do nothing."""
    found: list[Thread] = []
    seen, over = threading.Semaphore(0), threading.Event()

    def sleep() -> None:
        found.append(memory.this_thread())
        seen.release()
        over.wait()

    threads = [threading.Thread(target=sleep, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            seen.acquire()
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join()
