"""Which mounts of a process are of file systems that answer at once, whatever hangs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.errors import MemprobeError
from memprobe.target.proc.procfs import ProcFolder

LOCAL = frozenset(
    [
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "f2fs",
        "zfs",
        "bcachefs",
        "tmpfs",
        "ramfs",
        "overlay",
        "squashfs",
        "erofs",
        "vfat",
    ]
)
"""Kept by the kernel alone: no server and no other process is asked."""

MOUNTINFO_BYTES = 1 << 20
READ_AGAIN = 16
"""So often a mount that is not known makes us look again: mounts come and go, but seldom."""


class LocalMounts:
    """The mounts of one process."""

    def __init__(self, folder: ProcFolder) -> None:
        self._folder = folder
        self._known: dict[int, bool] = {}
        self._reads_left = READ_AGAIN

    def __contains__(self, mount: int) -> bool:
        if mount not in self._known and self._reads_left:
            self._reads_left -= 1
            self._known = dict(self._read())
        return self._known.get(mount, False)

    def _read(self) -> Iterator[tuple[int, bool]]:
        try:
            text = self._folder.read("mountinfo", MOUNTINFO_BYTES).decode("utf-8", "replace")
        except (OSError, MemprobeError):
            return
        for line in text.splitlines():
            before, _, after = line.partition(" - ")
            number = before.split(" ", 1)[0]
            if number.isdecimal() and len(number) < 10:
                yield int(number), after.split(" ", 1)[0] in LOCAL
