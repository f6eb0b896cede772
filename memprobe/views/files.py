"""Results into files, whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from memprobe.errors import OutputNotWritable

STDOUT = "-"


def write(name: str, data: bytes) -> None:
    """Write a file, or standard output for "-"; raises OutputNotWritable.

    A file that is there is replaced only once the new one is complete: a full disk leaves the old one.
    """
    try:
        if name == STDOUT:
            _to_stdout(data)
        elif _is_special(name):
            Path(name).write_bytes(data)
        else:
            _replace(Path(name), data)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        where = "standard output" if name == STDOUT else name
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise OutputNotWritable(
            f"{where} cannot be written: {reason}", remedy="name a file in a folder with room"
        ) from error


def _to_stdout(data: bytes) -> None:
    if sys.stdout is None:
        raise OSError("it is closed")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _is_special(name: str) -> bool:
    """Whether it is a pipe or a device: those are written to, never replaced."""
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _replace(path: Path, data: bytes) -> None:
    target = path.resolve()
    if target.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    handle, part = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), _mode(target))
        os.replace(part, target)
    except BaseException:
        os.unlink(part)
        raise


def _mode(target: Path) -> int:
    """The mode of the file that is there; a new one is for its owner, as recordings are."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        return 0o600
