"""The mappings of an address space, as /proc/<pid>/maps lists them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from memprobe.target.proc.process import Process

MAPS_LIMIT = 64 << 20
"""About 600,000 mappings; the kernel's default allows a process 65,530."""

_DELETED = " (deleted)"
_by_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of maps."""

    start: int
    """First address."""

    end: int
    """First address behind it."""

    offset: int
    """Where in the file it starts."""

    permissions: str
    """Four letters such as "r-xp"."""

    inode: int
    """0 if no file is behind it."""

    device: int
    """The device of the file, as os.makedev makes it."""

    path: str
    """The path as the target sees it, or a name such as "[heap]"; empty if anonymous."""

    @property
    def size(self) -> int:
        """Bytes of address space."""
        return self.end - self.start

    @property
    def is_readable(self) -> bool:
        """Whether the target itself may read it."""
        return self.permissions[0] == "r"

    @property
    def is_writable(self) -> bool:
        """Whether the target itself may write to it."""
        return self.permissions[1] == "w"

    @property
    def is_executable(self) -> bool:
        """Whether it holds code."""
        return self.permissions[2] == "x"

    @property
    def is_deleted(self) -> bool:
        """Whether the file has lost its name: removed, or replaced by a newer one."""
        return self.path.endswith(_DELETED)

    @property
    def file_path(self) -> str:
        """The path without the mark that the kernel puts behind deleted files."""
        return self.path.removesuffix(_DELETED)

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.file_path.rpartition("/")[2]


def read_mappings(process: Process) -> tuple[Mapping, ...]:
    """Read all mappings of a live process, in order of address."""
    raw = process.folder.read("maps", MAPS_LIMIT)
    if not raw:
        process.check()
    return parse_mappings(raw)


def parse_mappings(raw: bytes) -> tuple[Mapping, ...]:
    """Parse the text of maps; a line that is cut off or strange is left out."""
    mappings = (_parse_line(line) for line in raw.split(b"\n"))
    return tuple(mapping for mapping in mappings if mapping is not None)


def _parse_line(line: bytes) -> Mapping | None:
    fields = line.split(None, 5)
    if len(fields) < 5:
        return None
    start, _, end = fields[0].partition(b"-")
    major, _, minor = fields[3].partition(b":")
    try:
        return Mapping(
            int(start, 16),
            int(end, 16),
            int(fields[2], 16),
            fields[1].decode("ascii"),
            int(fields[4]),
            # os.makedev in two shifts; a process can have 65,530 lines.
            _device(int(major, 16), int(minor, 16)),
            _path(fields[5]) if len(fields) > 5 else "",
        )
    except (ValueError, UnicodeDecodeError):
        return None


def _device(major: int, minor: int) -> int:
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor >> 8) << 20 | (major >> 12) << 44


def _path(raw: bytes) -> str:
    # The kernel writes a newline in a path as \012 and leaves everything else alone.
    return raw.replace(b"\\012", b"\n").decode("utf-8", "surrogateescape")


def find(mappings: Sequence[Mapping], address: int) -> Mapping | None:
    """Find the mapping that holds an address; the mappings are in order of address."""
    index = bisect_right(mappings, address, key=_by_start) - 1
    if index >= 0 and address < mappings[index].end:
        return mappings[index]
    return None
