"""Pictures of all descriptors of one process.

A descriptor costs 1.2 us to list and 4 us of CPU to look at (CPython 3.11, Linux 6.18), once more 7 us when a
new file's inode is read. The list is always whole, for what is missing in a picture counts as closed; what
time does not suffice for is how many of the links are read, and the next picture begins there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from memprobe.sources.procfs.links import inode_in, kind_of, read_node, shortened
from memprobe.sources.procfs.mounts import LocalMounts
from memprobe.sources.procfs.networks import Networks
from memprobe.sources.procfs.sockets import SocketJoin, SocketKnowledge
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import parse_status
from memprobe.vocab.batch import Handles
from memprobe.vocab.kinds import HandleKind
from memprobe.vocab.rows import OPEN_HANDLE, Rows

DESCRIPTORS_LIMIT = 1 << 18
"""Beyond that no picture is taken: the list alone would take a second and 60 MB."""

_STEP = 256
"""Links between two looks at the clock."""


class Link(NamedTuple):
    """A descriptor as it was last read."""

    text: str
    kind: int
    inode: int
    size_bytes: int = 0


UNREAD = Link("", int(HandleKind.UNKNOWN), 0)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture, and what it lacks."""

    handles: Handles

    unread: int
    """Descriptors for which time did not suffice; they stand in the picture as they were last read."""

    cost_ns: int
    """CPU time that it took memprobe."""


class Pictures:
    """Takes pictures of one process; remembers the last one, for most descriptors stay what they are."""

    def __init__(self, process: Process, networks: Networks) -> None:
        self._process = process
        self._networks = networks
        self._mounts = LocalMounts(process.folder)
        self._links: dict[int, Link] = {}
        self._sockets = SocketKnowledge()
        self._resume_at = 0

    def take(self, limit_ns: int) -> Picture:
        """Take a picture in about this time.

        Raises NotPermitted, and a leaf of TargetGone when the process is on its way out: then its
        descriptors seem to be closed, and are not.
        """
        started_ns, begin_ns = time.thread_time_ns(), time.monotonic_ns()
        descriptors = sorted(map(int, self._process.folder.entries("fd")))
        texts = self._read(descriptors, begin_ns + limit_ns)
        end_ns = time.monotonic_ns()
        if self._process.folder.is_gone():
            raise self._process.folder.ended()
        links, unread = self._links_of(descriptors, texts, begin_ns + limit_ns)
        handles = self._developed(begin_ns, end_ns, links)
        self._links = links
        return Picture(handles, unread, time.thread_time_ns() - started_ns)

    def _read(self, descriptors: Sequence[int], deadline_ns: int) -> dict[int, str | None]:
        """Read links until the deadline, beginning where the last picture had to stop; None: closed."""
        first = int(np.searchsorted(descriptors, self._resume_at)) if self._resume_at else 0
        order = [*descriptors[first:], *descriptors[:first]]
        texts: dict[int, str | None] = {}
        folder = self._process.folder.open("fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            for start in range(0, len(order), _STEP):
                if start and time.monotonic_ns() > deadline_ns:
                    break
                _read_links(folder, order[start : start + _STEP], texts)
        finally:
            os.close(folder)
        self._resume_at = order[len(texts)] if len(texts) < len(order) else 0
        return texts

    def _links_of(
        self, descriptors: Sequence[int], texts: dict[int, str | None], deadline_ns: int
    ) -> tuple[dict[int, Link], int]:
        """Put together what was read now and, where time did not suffice, before."""
        links: dict[int, Link] = {}
        for descriptor in descriptors:
            text = texts.get(descriptor, "")
            before = self._links.get(descriptor)
            if text == "":
                links[descriptor] = before or UNREAD
            elif before is not None and before.text == text and before.inode:
                links[descriptor] = before
            elif text is not None:
                links[descriptor] = self._link(descriptor, text, deadline_ns)
        return links, len(descriptors) - len(texts)

    def _link(self, descriptor: int, text: str, deadline_ns: int) -> Link:
        inode, size_bytes = inode_in(text), 0
        if not inode and time.monotonic_ns() < deadline_ns:
            inode, size_bytes = read_node(self._process.folder, self._mounts, descriptor, text)
        return Link(text, kind_of(text), inode, size_bytes)

    def _developed(self, begin_ns: int, end_ns: int, links: dict[int, Link]) -> Handles:
        rows = _rows(links)
        texts = [link.text for link in links.values()]
        sockets = np.flatnonzero((rows["kind"] == HandleKind.SOCKET) & (rows["inode"] != 0))
        if len(sockets):
            join = SocketJoin(self._networks.of(self._process), self._sockets, rows, texts)
            # Through our own descriptor of the folder: the pid may be another's by now.
            self._sockets = join.run(sockets, f"/proc/self/fd/{self._process.folder.descriptor}/fd")
        return Handles(self._process.pid, begin_ns, end_ns, rows, tuple(texts))


def _read_links(folder: int, descriptors: Sequence[int], texts: dict[int, str | None]) -> None:
    for descriptor in descriptors:
        try:
            texts[descriptor] = shortened(os.readlink(str(descriptor), dir_fd=folder)) or None
        except OSError:
            texts[descriptor] = None


def _rows(links: dict[int, Link]) -> Rows:
    rows = np.zeros(len(links), OPEN_HANDLE)
    rows["descriptor"] = np.fromiter(links, np.int32, len(links))
    rows["kind"] = np.fromiter((link.kind for link in links.values()), np.uint8, len(links))
    rows["inode"] = np.fromiter((link.inode for link in links.values()), np.uint64, len(links))
    rows["size_bytes"] = np.fromiter((link.size_bytes for link in links.values()), np.uint64, len(links))
    return rows


def count_descriptors(process: Process) -> int | None:
    """Count the open descriptors; None if that is not permitted or would be dear.

    Since Linux 6.2 the size of the folder says it. Before, its entries are counted, if they are few.
    """
    try:
        size = os.stat("fd", dir_fd=process.folder.descriptor).st_size
    except OSError:
        return None
    if size or table_size(process) > _COUNTED_BY_LISTING:
        return size or None
    return len(process.folder.entries("fd"))


_COUNTED_BY_LISTING = 8192


def table_size(process: Process) -> int:
    """Return how many descriptors the process's table has room for now."""
    text = parse_status(process.folder.read("status", 1 << 16)).get("FDSize", "0")
    return int(text) if text.isdecimal() else 0
