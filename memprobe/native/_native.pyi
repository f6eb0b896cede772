"""The C core that needs no library: reading the memory of another process.

This stub is the home of its documentation; the sources are in `src/`.
"""

from typing_extensions import Buffer

def read_regions(
    pid: int, pidfd: int, mem_fd: int, regions: Buffer, destination: Buffer, done: Buffer, /
) -> int:
    """Read many regions of a process at once; return the bytes read in all.

    `regions` holds pairs of native unsigned 64-bit (address, size). `destination` is filled with
    the regions back to back: each keeps its place, however much of it could be read. `done`
    takes one native signed 64-bit number per region: the bytes read of it, or -errno if not even
    its first byte could be read. A region that cannot be read is no exception.

    `pidfd` and `mem_fd` (an open /proc/<pid>/mem) make sure that the memory is that of the
    process and of the program that were there when they were opened; -1 leaves that out. Where
    process_vm_readv is refused, `mem_fd` is what is read.

    Raises OSError with `errno`, `pid` and `address` when nothing that was read can be believed:
    ProcessLookupError (ESRCH) the process has ended; ESTALE its address space is gone, by exec or
    because it is ending; PermissionError (EPERM) no right to read it. ValueError if the sizes of
    the buffers do not fit one another. The GIL is released while the kernel reads.
    """

def read_region(pid: int, pidfd: int, mem_fd: int, address: int, size: int, /) -> bytes:
    """Read one region of a process; what comes back is shorter where the memory ends.

    `address` is taken modulo 2**64. Raises as read_regions does.
    """

def set_parent_death_signal(signal: int, /) -> None:
    """Have the kernel send this process `signal` when the thread that forked it ends; 0 never."""

def trace_seize(thread: int, /) -> None:
    """PTRACE_SEIZE: become the tracer of a thread without stopping it.

    When the tracer ends, in whatever way, the kernel lets the thread go: nothing has to be undone.
    Raises ProcessLookupError if there is no such thread, PermissionError if it is not permitted or
    somebody traces it already.
    """

def trace_interrupt(thread: int, /) -> None:
    """PTRACE_INTERRUPT: stop a thread that this one has seized; `os.waitpid` tells when it has stopped."""
