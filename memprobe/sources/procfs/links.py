"""What a descriptor's link says: its kind, and for most kinds its inode."""

from __future__ import annotations

import os
import re

from memprobe.errors import MemprobeError
from memprobe.sources.procfs.mounts import LocalMounts
from memprobe.target.proc.handles import handle_kind
from memprobe.target.proc.procfs import ProcFolder
from memprobe.vocab.kinds import HandleKind

TEXT_LIMIT = 512
"""Letters that are kept of a path: 100,000 descriptors of 4 KB paths would be 400 MB."""

KINDS = {kind.name.lower(): int(kind) for kind in HandleKind}

_TAIL = 384
_NUMBERED = re.compile(r"[a-z_]+:\[([0-9]{1,19})\]")
_INODE_LINE = re.compile(rb"^ino:\s*([0-9]{1,19})$", re.MULTILINE)
_MOUNT_LINE = re.compile(rb"^mnt_id:\s*([0-9]{1,9})$", re.MULTILINE)
_FDINFO_BYTES = 512


def shortened(text: str) -> str:
    """Cut the middle out of a long path: how it begins tells the kind, how it ends the file."""
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - _TAIL - 1]}…{text[-_TAIL:]}"


def kind_of(text: str) -> int:
    """Return the HandleKind of a link."""
    return KINDS[handle_kind(text)]


def inode_in(text: str) -> int:
    """Return the inode that a link such as "socket:[123]" names; 0 if it names none."""
    match = _NUMBERED.fullmatch(text)
    return int(match[1]) if match else 0


def read_node(folder: ProcFolder, mounts: LocalMounts, descriptor: int, text: str) -> tuple[int, int]:
    """Read the inode of what has none in its link, 7 us, and the size of a file; 0: not to be read."""
    try:
        if text.startswith("/"):
            # Not by stat: a file system that hangs would hold us, too.
            inode, mount = _facts_of_file(folder, descriptor)
            return inode, _stat(folder, descriptor).st_size if mount in mounts else 0
        return _stat(folder, descriptor).st_ino, 0
    except (OSError, MemprobeError):
        return 0, 0


def _stat(folder: ProcFolder, descriptor: int) -> os.stat_result:
    return os.stat(f"fd/{descriptor}", dir_fd=folder.descriptor)


def _facts_of_file(folder: ProcFolder, descriptor: int) -> tuple[int, int]:
    """Return inode and mount from fdinfo, which has the inode since Linux 5.14."""
    opened = os.open(f"fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder.descriptor)
    try:
        text = os.read(opened, _FDINFO_BYTES)
    finally:
        os.close(opened)
    inode, mount = _INODE_LINE.search(text), _MOUNT_LINE.search(text)
    return int(inode[1]) if inode else 0, int(mount[1]) if mount else -1
