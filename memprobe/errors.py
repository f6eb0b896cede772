"""Everything that can go wrong, as one tree.

Each leaf says one cause. An error prints as three parts: the fact, the cause and the
command that mends it; its exit code tells a script the same thing.

    MemprobeError                     70  a bug in memprobe
    ├── UsageError                     2  the command line or a setting is wrong
    ├── NotPermitted                   3  a right is missing
    │   └── NoMoreProcesses               no room for a child: a limit, or no memory
    ├── TargetGone                     4
    │   ├── NoSuchProcess                 there never was such a pid
    │   ├── TargetExited                  it ended while we looked
    │   ├── TargetIsZombie                it has ended, its parent has not noticed
    │   ├── TargetReplaced                it has called exec: another program now
    │   └── PidRecycled                   the pid belongs to another process now
    ├── TargetUnsupported              5
    │   ├── KernelThread
    │   ├── NotPython
    │   ├── OtherImplementation           PyPy and friends
    │   ├── FreeThreaded
    │   ├── UnknownVersion                older or newer than the tables
    │   ├── UnverifiedCollector           CPython 3.14.0 to 3.14.4
    │   ├── LayoutCheckFailed             the tables do not hold on this process
    │   └── TargetBlocksReading           its memory makes the reader wait for ever
    ├── NoKernelSupport                6  asked for explicitly, not there
    ├── UnreadableRecording            7
    │   └── UnreadableImage
    └── OutputNotWritable              8

    ReadFault                             inside only: one address could not be read
"""

from __future__ import annotations


class MemprobeError(Exception):
    """A failure that is shown to the user as one line, never as a traceback."""

    exit_code = 70

    def __init__(self, fact: str, *, remedy: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), self.args, self.__dict__))

    @property
    def line(self) -> str:
        """The fact and the remedy in one line."""
        return f"{self.fact}; {self.remedy}" if self.remedy else self.fact


def _restore(kind: type[MemprobeError], args: tuple[object, ...], state: dict[str, object]) -> MemprobeError:
    """Unpickle an error whose constructor takes more than its message."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(MemprobeError):
    """The command line or a setting is wrong."""

    exit_code = 2


class NotPermitted(MemprobeError):
    """A right is missing; the remedy names the command that grants it."""

    exit_code = 3


class NoMoreProcesses(NotPermitted):
    """There is no room for a child of memprobe: a limit is reached, or there is no memory."""


class TargetGone(MemprobeError):
    """There is no such target, or no longer."""

    exit_code = 4


class NoSuchProcess(TargetGone):
    """No process has this pid."""


class TargetExited(TargetGone):
    """The target ended while it was being read."""


class TargetIsZombie(TargetGone):
    """The target has ended and waits for its parent to collect it."""


class TargetReplaced(TargetGone):
    """The target called exec: the pid runs another program now."""


class PidRecycled(TargetGone):
    """The pid belongs to another process now."""


class TargetUnsupported(MemprobeError):
    """The target is there, but memprobe cannot look inside it."""

    exit_code = 5


class KernelThread(TargetUnsupported):
    """A kernel thread has no memory of its own."""


class NotPython(TargetUnsupported):
    """No Python runtime is mapped into the target."""


class OtherImplementation(TargetUnsupported):
    """A Python that is not CPython."""


class FreeThreaded(TargetUnsupported):
    """A CPython built without the global interpreter lock."""


class UnknownVersion(TargetUnsupported):
    """A CPython for which there is no layout table."""


class UnverifiedCollector(TargetUnsupported):
    """CPython 3.14.0 to 3.14.4: the incremental collector, since withdrawn."""


class LayoutCheckFailed(TargetUnsupported):
    """The layout tables do not hold on this process; the check is named."""


class TargetBlocksReading(TargetUnsupported):
    """Reading the target's memory does not return (userfaultfd, a hung file system)."""


class NoKernelSupport(MemprobeError):
    """The kernel lacks something that was asked for explicitly."""

    exit_code = 6


class UnreadableRecording(MemprobeError):
    """A recording cannot be read."""

    exit_code = 7


class UnreadableImage(UnreadableRecording):
    """A saved memory image cannot be read."""


class OutputNotWritable(MemprobeError):
    """A file that was asked for cannot be written."""

    exit_code = 8


class ReadFault(Exception):
    """Memory at one address could not be read; decoders catch it, users never see it."""

    def __init__(self, pid: int, address: int, size: int, errno: int) -> None:
        super().__init__(pid, address, size, errno)
        self.pid = pid
        self.address = address
        self.size = size
        self.errno = errno

    def __str__(self) -> str:
        return f"pid {self.pid}: {self.size} bytes at {self.address:#x} not readable (errno {self.errno})"
