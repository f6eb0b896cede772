"""The C core that needs libbpf: opening, loading and attaching compiled BPF programs, reading what they send.

This stub is the home of its documentation; the sources are in `src/`. libbpf never prints: what it
has to say about a failure is in the exception.
"""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import Self, final

from typing_extensions import Buffer

class BpfError(OSError):
    """Something that was asked of the kernel or of libbpf failed; `errno` says why.

    Beyond the errnos of the system, libbpf has its own from 4000 on (4001: not a BPF object).
    """

    log: tuple[str, ...]
    """What libbpf and the kernel's verifier said: the last 64 KiB of it, as lines."""

@final
class BpfObject:
    """A compiled BPF object: open, then loaded, then with programs attached.

    All of it ends with close(), or when the object is collected: programs are detached first, and
    the kernel frees them and their maps. Its file descriptors are not inherited through exec.
    Methods raise BpfError when libbpf fails, KeyError for a name that the object does not have,
    ValueError out of order or with a value of the wrong size, and RuntimeError while another
    thread is in one of them.
    """

    def __init__(self, source: Buffer | str | os.PathLike[str], *, name: str = "memprobe") -> None:
        """Open an object from its content or its path. The kernel lists its maps under `name`."""

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of its programs."""

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of its maps."""

    @property
    def run_counts(self) -> dict[str, tuple[int, int, int]]:
        """What each loaded program has done: runs, nanoseconds, runs skipped because it was running.

        The first two stay 0 unless `enable_statistics` (or the sysctl) is in force.
        """

    def set_constant(self, name: str, value: Buffer, /) -> None:
        """Set a `const volatile` variable; only before load(), and to exactly its size."""

    def has_constant(self, name: str, /) -> bool:
        """Whether there is a `const volatile` variable of that name."""

    def set_variable(self, name: str, value: Buffer, /) -> None:
        """Set a `volatile` variable, loaded or not, to exactly its size.

        In a loaded object the section that it lies in is read and written back as a whole.
        """

    def leave_out(self, program: str, /) -> None:
        """Do not load this program; only before load()."""

    def attach_to_many(self, program: str, /) -> None:
        """Load this program for attach_uprobes; only before load()."""

    def resize_map(self, name: str, entries: int, /) -> None:
        """Set how many entries (a ring buffer: bytes) a map has; only before load()."""

    def share_maps(self, other: BpfObject, /) -> None:
        """Use the maps of a loaded object instead of own ones of the same names; only before load().

        Raises BpfError (EMEDIUMTYPE) if a map there is of another kind or has other sizes.
        """

    def load(self) -> None:
        """Create the maps and have the kernel verify the programs."""

    def attach(self, program: str, /) -> int:
        """Attach a program to the raw tracepoint that its section names. It runs from now on.

        What is attached has a number, which is not used again.
        """

    def attach_tracepoint(self, program: str, number: int, /) -> int:
        """Attach a program to a tracepoint by the number in its `id` file."""

    def attach_uprobe(
        self,
        program: str,
        path: str | os.PathLike[str],
        offset: int,
        pid: int,
        cookie: int = 0,
        semaphore: int = 0,
    ) -> int:
        """Attach a program to an instruction of a binary, in one process (-1: in all).

        `offset` is in the file, and must be the first byte of an instruction: the kernel does not check,
        and a target with an uprobe inside an instruction crashes. `semaphore` is the file offset of a
        counter in the target that the kernel holds above 0 meanwhile; 0 means there is none.
        """

    def attach_uprobes(
        self,
        program: str,
        path: str | os.PathLike[str],
        offsets: Buffer,
        cookies: Buffer,
        semaphores: Buffer,
        pid: int,
        /,
    ) -> int:
        """Attach a program that was loaded for it (attach_to_many) to many instructions of one process.

        Offsets, cookies and semaphores (as for attach_uprobe) are u64, back to back. EINVAL where the kernel
        cannot (before 6.6). Process -1 is nobody's: which error that is tells kernels apart.
        """

    def attach_event(
        self, program: str, *, kind: int, config: int, period: int, tid: int, inherit: bool = False
    ) -> int:
        """Attach a program to a perf event of a thread (perf_event_open: type, config, sample_period)."""

    def attach_watchpoint(
        self, program: str, *, address: int, tid: int, width: int = 8, limit: int = 0
    ) -> int:
        """Attach a program to every write of a thread to a word of 4 or 8 bytes: a debug register of the CPU.

        With a `limit` it disarms itself after so many hits, if the program returns 1; without one, the
        threads that the thread starts inherit it. ENOSPC: all debug registers are taken.
        """

    def detach(self, *numbers: int) -> None:
        """Detach some of what was attached; each tracepoint keeps the kernel busy for some 75 ms.

        Other threads may use the object meanwhile.
        """

    def iterate(self, program: str, *, tid: int = 0, pid: int = 0) -> bytes:
        """Run an iterator program over all it iterates over, and return what it has written.

        From Linux 6.1 on an iterator over tasks can be kept to one thread, or to one process; an older kernel
        goes over all.
        """

    def run(self, program: str, arguments: Buffer, /) -> int:
        """Run a raw tracepoint's program here and now, in this thread, and return what it returns.

        The arguments are u64, back to back. From Linux 5.10 on.
        """

    def read_map(self, name: str, key: Buffer, /) -> bytes | None:
        """Return what a map has for a key, None if it does not have the key.

        A per-CPU map gives one value for each possible CPU, each padded to 8 bytes.
        """

    def write_map(self, name: str, key: Buffer, value: Buffer, /) -> None:
        """Set what a map has for a key."""

    def delete_from_map(self, name: str, key: Buffer, /) -> bool:
        """Take a key out of a map; False if it was not there."""

    def drain_map(self, name: str, keys: Buffer, values: Buffer, /) -> int:
        """Copy all keys and values of a map into two buffers, back to back; return how many.

        Nothing is taken out. If the map has more than there is room for, the rest is not copied.
        """

    def close(self) -> None:
        """Detach everything and let go of it; more than once is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

@final
class Ring:
    """The reader of a ring buffer map whose records begin with their kind and their size (two u32).

    `shapes` says how the records of each kind that is wanted are taken apart: bytes of the head
    that all of them have, and the offset of the u32 in the head that says how many bytes of the rest are used
    (0: all).
    It keeps the map; programs go on writing into it after the object was closed.
    """

    def __init__(self, maps: BpfObject, name: str, shapes: dict[int, tuple[int, int]]) -> None:
        """Map the ring into memory."""

    @property
    def strange(self) -> int:
        """Records whose kind or size made no sense, ever; they are left out."""

    @property
    def unwanted(self) -> int:
        """Records of kinds that were not asked for, ever."""

    @property
    def waiting_bytes(self) -> int:
        """What lies in the ring and was not drained yet."""

    def drain(self) -> dict[int, tuple[bytes, bytes, bytes]]:
        """Take out all that is there; for each kind that came: heads, ends of tails, tails.

        Heads lie back to back in the order of the ring, and so do tails. The ends are one u64 more than
        there are records: tail i reaches from ends[i] to ends[i + 1].
        """

    def fileno(self) -> int:
        """A descriptor that is readable while anything lies in the ring.

        Whoever wants to wait for a program that wakes its reader registers it for edges (EPOLLET).
        """

    def close(self) -> None:
        """Let go of the map; more than once is fine."""

def detach_aside(attachments: Iterable[tuple[BpfObject, int]], /) -> None:
    """Detach at once as far as the caller can tell: processes of their own wait for the kernel.

    The kernel takes some 75 ms for each tracepoint, one after the other, whoever asks for it. Two helper
    processes, which have nothing else of the caller's open, do the waiting, in the order given; they end
    by themselves and are nobody's children.
    """

def enable_statistics() -> int:
    """Have the kernel count runs and run times of BPF programs until the returned descriptor is closed."""

def has_helper(number: int, /) -> bool:
    """Whether the kernel has a helper (enum bpf_func_id) for programs of raw tracepoints."""

def open_tracefs() -> int:
    """Mount tracefs where nobody can see it; return the descriptor of its root, with which it vanishes."""
