"""The file system as a process sees it, read without being led out of it.

Links in it are chosen by the target: an absolute one would lead to the files of memprobe's own root. So
folders are opened by openat2 with RESOLVE_IN_ROOT, and below a folder no link is followed at all.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from memprobe.target.proc.procfs import ProcFolder, read_descriptor

OPENAT2 = 437
"""The number of the system call, the same on all machines; Linux 5.6 and later."""

RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x02, 0x10
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
MOST_NAMES = 20_000
"""Of one folder; more are not looked at."""


class Folder:
    """An open folder of a target."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def names(self) -> list[str]:
        """Return what is in it, in order; at most MOST_NAMES."""
        with os.scandir(self._descriptor) as entries:
            return sorted(entry.name for entry in islice(entries, MOST_NAMES))

    @contextmanager
    def folder(self, name: str) -> Iterator[Folder]:
        """Open a folder in it; a link is none."""
        with _closing(os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=self._descriptor)) as descriptor:
            yield Folder(descriptor)

    def read(self, name: str, limit: int) -> bytes:
        """Read a regular file in it, at most `limit` bytes; a fifo or a device is not even opened."""
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        with _closing(os.open(name, flags, dir_fd=self._descriptor)) as handle:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileNotFoundError(name)
            with _closing(os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)) as descriptor:
                return read_descriptor(descriptor, limit)


@contextmanager
def folder_of(process: ProcFolder, path: str) -> Iterator[Folder]:
    """Open a folder by the absolute path that it has for the process; OSError if there is none."""
    with (
        _closing(process.open("root", os.O_PATH | os.O_DIRECTORY)) as root,
        _closing(_open_in_root(root, path)) as descriptor,
    ):
        yield Folder(descriptor)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _encoded(path: str) -> bytes:
    """Return a path as the kernel takes it; a str of Python may hold what no path can."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError as error:
        raise FileNotFoundError(errno.ENOENT, "no path", ascii(path)) from error
    if b"\0" in name:
        raise FileNotFoundError(errno.ENOENT, "no path", ascii(path))
    return name


def _open_in_root(root: int, path: str) -> int:
    how = struct.pack("<QQQ", FOLDER, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    name = _encoded(path)
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = (ctypes.c_long(number) for number in (OPENAT2, root))
    found = int(
        libc.syscall(*numbers, ctypes.c_char_p(name), ctypes.c_char_p(how), ctypes.c_size_t(len(how)))
    )
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return found
