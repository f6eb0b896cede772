"""Tracing the system calls of other processes by ptrace, in windows; the programs of probes/ look at them.

This stub is the home of its documentation; the sources are in `src/`. x86-64 only.
"""

from collections.abc import Mapping
from typing import final

from typing_extensions import Buffer

@final
class Tracer:
    """Windows in which threads of other processes are traced, one after the other, and what came of them.

    A window is a process of its own, the tracer: when it ends, however it ends, the kernel lets every thread
    go. A watchdog ends it if this process ends, is silent for two seconds, or the tracer does not get on.
    """

    def __init__(self, ring_bytes: int, shapes: Mapping[int, tuple[int, int]]) -> None:
        """Make room for records: a power of two, at least 65536. `shapes` as those of a Ring in _bpf.pyi."""

    def begin(
        self,
        targets: Buffer,
        layouts: Buffer,
        knobs: Buffer,
        *,
        children: bool,
        execs: bool,
        slice_ns: int,
        share: float,
        calls: bool,
        only_burst: bool,
        words: Buffer,
        burst_ns: int,
        burst_hits: int,
    ) -> None:
        """Begin a window and return at once.

        `targets` has a row for each process: u32 pid and layout, u64 address of the runtime (0: no stacks),
        u32 epoch and 0. `layouts` and `knobs` are structs of abi.h. It ends when threads have been stopped
        for `slice_ns` and `share` of the time that it has lasted. Without `execs` a thread is let go before
        it calls exec: a program would not gain the rights of its file while somebody traces it who may not
        trace everything. Without `calls` threads do not stop at system calls.

        `words` are up to two words of one process: u64 address, u32 process, u32 width (4 or 8). For
        `burst_ns`, or until they were written to `burst_hits` times (256 at most), its threads stop at every
        write to one of them; with `only_burst` the window ends then.
        Raises ValueError while another one goes on, OSError if it cannot fork.
        """

    def attend(self) -> None:
        """Say that somebody wants to know; otherwise a window ends after two seconds."""

    def end(self) -> None:
        """End the window; on return the threads have been let go. May be called twice."""

    def drain(self) -> dict[int, tuple[bytes, bytes, bytes]]:
        """Take out what there is, as Ring.drain does."""

    def fileno(self) -> int:
        """Readable (8 bytes) when something came that cannot wait: a new stack, a fork, an exec."""

    def close(self) -> None:
        """End the window and let go of everything. May be called twice."""

    @property
    def goes_on(self) -> bool:
        """Whether the window is not over yet."""

    @property
    def outcome(self) -> tuple[int, int, int, int]:
        """Why the last window ended (0: it has not), errno and thread if one was refused, threads reached."""

    @property
    def counts(self) -> tuple[int, int, int, int, int, int, int]:
        """Since the beginning: stops, their nanoseconds, those of the longest, system calls, calls restarted.

        Then the CPU time in nanoseconds of the tracer of this window, and what of the stops was for bursts.
        """

    @property
    def prices(self) -> tuple[int, int, int]:
        """What a stop costs beside the tracer's time, and a write that is watched; errno if none can be."""

    @property
    def burst(self) -> tuple[int, int, int, tuple[int, int], tuple[int, int], bytes] | None:
        """The burst of this window, once it is over: its beginning and end, and an errno or 0.

        Then by word the writes and what it is now (all ones: not known), and rows of five u64: id of a stack,
        added, removed, writes, index of the word.
        """

    @property
    def losses(self) -> bytes:
        """For each loss of losses.json three u64, of which the last is how often it has happened."""

    @property
    def strange(self) -> int:
        """Records that made no sense, ever."""
