"""Where the kernel does not take a program: what that means to whoever asked for it."""

from __future__ import annotations

import errno

from memprobe.errors import MemprobeError, NoKernelSupport, NotPermitted


def refused(name: str, error: OSError) -> MemprobeError:
    """Return what to raise where the kernel does not take a program."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotPermitted(
            f"the kernel does not let memprobe load BPF programs ({error.strerror})",
            remedy="run memprobe with sudo; `memprobe doctor` names the missing right",
        )
    return NoKernelSupport(
        f"the kernel refuses memprobe's BPF program {name!r} ({error.strerror})",
        remedy="`memprobe doctor` says what it lacks",
    )
