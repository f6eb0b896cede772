"""The rows that batches are made of: one dtype per table.

Rows that come from the kernel are its records with the header's fields drawn level (a record's bytes can be
looked at as rows, nothing is copied); what memprobe reads by itself is written out here. Every pid and tid is
numbered as memprobe's own pid namespace numbers it: the source translates.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe import abi

Rows: TypeAlias = npt.NDArray[np.void]
"""A table: a one-dimensional structured array."""

NOT_MEASURED = -1
"""In a SAMPLE: this number is not known. It becomes null in a report, never 0."""


def _places(dtype: np.dtype[np.void]) -> dict[str, tuple[np.dtype[Any], int]]:
    """Return type and offset of each field."""
    return {name: (place[0], place[1]) for name, place in (dtype.fields or {}).items()}


def _level(record: np.dtype[np.void], *without: str, size_bytes: int = 0) -> np.dtype[np.void]:
    """Return a record's dtype with the header's fields drawn level, and without what rows do not need."""
    header, own = _places(abi.RECORD_HEADER), _places(record)
    fields = {name: header[name] for name in ("time_ns", "pid", "tid")}
    fields |= {name: place for name, place in own.items() if name not in ("header", *without)}
    return np.dtype(
        {
            "names": list(fields),
            "formats": [dtype for dtype, _ in fields.values()],
            "offsets": [offset for _, offset in fields.values()],
            "itemsize": size_bytes or record.itemsize,
        }
    )


BIRTH = _level(abi.BIRTH_RECORD, "path", size_bytes=_places(abi.BIRTH_RECORD)["path"][1])
"""A descriptor was born: the record as far as its path, which stands in `Batch.paths`."""

DEATH = _level(abi.DEATH_RECORD, "flags")
"""The descriptors from `first` to `last` died."""

PROCESS = _level(abi.PROCESS_RECORD, "other_local", "reserved")
"""A process forked, called exec, ended, or came by another table; `other` is translated, too."""

TABLE = _level(abi.TABLE_RECORD, "reserved")
"""Which descriptors of a table were open, one bit each."""

COLLECTION = _level(abi.COLLECTION_RECORD, "reserved")
"""The collector ran."""

GROWTH = np.dtype(
    [
        ("stack_id", "<u8"),
        ("pid", "<u4"),
        ("how", "<u4"),  # abi.GrowthHow
        ("grown_bytes", "<u8"),
        ("freed_bytes", "<u8"),
        ("events", "<u8"),
    ]
)
"""What one stack of one process has grown by since the batch before."""

OPEN_HANDLE = np.dtype(
    [
        ("descriptor", "<i4"),
        ("kind", "u1"),  # HandleKind
        ("state", "u1"),  # SocketState
        ("family", "<u2"),  # AF_*, 0 if it is not a socket
        ("inode", "<u8"),  # 0 if it was not read
        ("size_bytes", "<u8"),  # of a file, when it was first seen; 0 if it was empty or not read
        ("receive_queue_bytes", "<u4"),
        ("send_queue_bytes", "<u4"),
    ]
)
"""A descriptor as /proc and sock_diag show it."""

SAMPLE = np.dtype(
    [
        ("time_ns", "<u8"),
        ("pid", "<u4"),
        ("gc_enabled", "<i4"),  # 1, 0 or NOT_MEASURED
        *(
            (name, "<i8")
            for name in (
                "rss_bytes",
                "rss_peak_bytes",
                "rss_anonymous_bytes",
                "pss_bytes",
                "uss_bytes",  # what would be free if it ended
                "swap_bytes",
                "vms_bytes",
                "limit_bytes",  # the cgroup limit that leaves the least room
                "limit_used_bytes",  # what that cgroup uses, page cache included
                "available_bytes",  # what the machine can still give without swapping
                "python_bytes",  # live blocks of Python's own allocator
                "arena_free_bytes",  # held by its arenas, but free
                "native_bytes",  # C heaps
                "mmap_bytes",  # other anonymous memory: large blocks of malloc, mmap
                "stack_bytes",  # stacks of threads
                "minor_faults",  # since the process began
                "major_faults",
                "cpu_ns",  # user and system time since the process began
                "age_ns",  # since the process began
                "threads",
                "thread_limit",  # of its cgroups or the machine: the one that leaves the least room
                "thread_limit_used",  # threads of all processes under that limit
                "fds",
                "fd_limit",
                "gc_collected",
                "gc_uncollectable",
            )
        ),
        ("gc_counts", "<i8", (3,)),
        ("gc_thresholds", "<i8", (3,)),
        ("gc_collections", "<i8", (3,)),
    ]
)
"""One process at one instant. Every number may be NOT_MEASURED."""


POPULATION = np.dtype(
    [
        ("time_ns", "<u8"),  # when the look at it began
        ("subject_id", "<u8"),  # in `Batch.subjects`
        ("pid", "<u4"),
        ("flags", "<u4"),  # vocab.subject.Seen
        ("count", "<i8"),  # NOT_MEASURED once it has died
        ("bytes", "<i8"),  # what they take, or what would be free without the holder
        ("oldest_ns", "<i8"),  # age of the oldest of them
    ]
)
"""How many of one subject there are at one instant. count, bytes and oldest_ns may be NOT_MEASURED."""


REGION = np.dtype(
    [
        ("time_ns", "<u8"),
        ("pid", "<u4"),
        ("kind", "<u4"),  # RegionKind
        ("start", "<u8"),
        ("size_bytes", "<u8"),
        ("used_bytes", "<u8"),  # resident or in swap
    ]
)
"""A part of an address space, as it was at one instant; all rows of a process in a batch are one picture."""


LOOK = np.dtype(
    [
        ("time_ns", "<u8"),  # when it began
        ("end_ns", "<u8"),
        ("pid", "<u4"),
        ("unused", "<u4"),
        ("torn_objects", "<u8"),  # they changed while they were read, and could not be read whole
    ]
)
"""One look at the whole heap of a process."""


WATCH = np.dtype(
    [
        ("time_ns", "<u8"),  # when it began
        ("end_ns", "<u8"),
        ("subject_id", "<u8"),
        ("pid", "<u4"),
        ("hits", "<u4"),
        ("covered_ns", "<u8"),  # so long every change was seen
        ("stands_for_ns", "<u8"),  # since the watch before of this container: what it speaks for
        ("entries_before", "<i8"),
        ("entries", "<i8"),  # at its end
    ]
)
"""One container under a watchpoint for a while; its changes carry the same time and subject."""


CHANGE = np.dtype(
    [
        ("time_ns", "<u8"),  # of the watch
        ("subject_id", "<u8"),
        ("stack_id", "<u8"),
        ("pid", "<u4"),
        ("hits", "<u4"),
        ("added", "<u8"),  # entries
        ("removed", "<u8"),
    ]
)
"""What one stack did to the number of entries of a container while it was watched."""


def no_rows(dtype: np.dtype[np.void]) -> Rows:
    """Return an empty table of this dtype."""
    return np.empty(0, dtype)


def unmeasured(count: int) -> Rows:
    """Return SAMPLE rows in which nothing is measured yet; time and pid are 0."""
    samples = np.zeros(count, SAMPLE)
    for name in SAMPLE.names or ():
        if name not in ("time_ns", "pid"):
            samples[name] = NOT_MEASURED
    return samples
