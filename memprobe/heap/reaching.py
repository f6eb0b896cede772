"""Reach a process for a look at its objects; if it ends or calls exec meanwhile, that is said in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from memprobe.errors import NotPermitted, TargetExited, UnknownVersion
from memprobe.target.inspection.opening import Opened, opened
from memprobe.target.proc.process import Process
from memprobe.target.rights.rights import refused_memory


@contextmanager
def reached(pid: int) -> Iterator[Opened]:
    """Hold a process until the block ends; it has no `python` only if a layout check failed.

    Raises NotPermitted if its memory may not be read, what `inspect` raises, or a leaf of TargetGone.
    """
    try:
        with opened(pid) as target:
            if isinstance(target.obstacle, NotPermitted):
                raise refused_memory(target.process)
            if isinstance(target.obstacle, UnknownVersion):
                raise target.obstacle
            try:
                yield target
            except OSError as error:
                raise translated(target.process, error) from None
    except ProcessLookupError:  # a process gives up its files before it is a zombie
        raise TargetExited(f"process {pid} ended while it was being read") from None


def translated(process: Process, error: OSError) -> Exception:
    """What an errno of the native walk, or of a file in /proc, says about the target."""
    if error.errno not in (errno.ESRCH, errno.ESTALE):
        return error
    gone = process.has_ended() or process.folder.is_gone()
    return process.folder.ended() if gone or error.errno == errno.ESRCH else process.replaced()
