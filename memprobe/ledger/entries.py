"""One row per open descriptor, one per descriptor that has ended."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np
import numpy.typing as npt

from memprobe.abi import BirthHow
from memprobe.vocab.kinds import HandleKind
from memprobe.vocab.rows import Rows


class Mark(IntFlag):
    """What is special about an entry; without a mark its birth was seen in its own process."""

    INHERITED = 1
    """Older than the attach: its birth is not known, and its age is at least what was seen of it."""

    COPIED = 2
    """Came with a fork or an unshare; what is known of its birth is the original's."""

    MISSED = 4
    """Its birth was not seen (lost, or invisible to the probes): reconciliation found it."""

    POLLED = 8
    """Born while nobody watched births: the pictures show it."""


class End(IntEnum):
    """How a lifetime ended."""

    NEVER = 0
    """It was not there: a copy that was corrected."""

    CLOSED = 1
    REPLACED = 2
    """dup2 or dup3 over it."""

    EXEC = 3
    """Close-on-exec."""

    EXIT = 4
    """With its process: nobody closed it."""

    MISSED = 5
    """Its death was not seen; the time of the end is an upper bound."""


ENTRY = np.dtype(
    [
        ("birth_ns", "<u8"),  # 0: not known
        ("seen_ns", "<u8"),  # open since this instant or earlier
        ("stack_id", "<u8"),  # 0: not known
        ("inode", "<u8"),  # 0: no picture has shown it
        ("size_bytes", "<u8"),  # of a file when a picture first showed it, 0: empty or not known
        ("text", "<u8"),  # where its text starts in Texts
        ("text_bytes", "<u4"),
        ("descriptor", "<i4"),
        ("pid", "<u4"),  # who opened it
        ("tid", "<u4"),
        ("source", "<i4"),
        ("detail", "<u4"),
        ("weight", "<u4"),
        ("receive_queue_bytes", "<u4"),
        ("send_queue_bytes", "<u4"),
        ("family", "<u2"),
        ("how", "u1"),  # abi.BirthHow, 0: not known
        ("kind", "u1"),  # HandleKind
        ("state", "u1"),  # SocketState
        ("marks", "u1"),  # Mark
        ("reserved", "<u2"),
    ]
)
"""An open descriptor."""

FINISHED = np.dtype(
    [
        ("stack_id", "<u8"),
        ("birth_ns", "<u8"),
        ("seen_ns", "<u8"),
        ("end_ns", "<u8"),
        ("text", "<u8"),  # where the text of its entry starts in Texts, if it had one
        ("size_bytes", "<u8"),
        ("extension", "<u8"),  # of what it pointed to, 0: none, or NOT_NAMED (extensions.py)
        ("text_bytes", "<u4"),
        ("birth", "<u4"),  # one more than the row of its birth, if that is in the same batch
        ("pid", "<u4"),
        ("weight", "<u4"),
        ("how", "u1"),
        ("kind", "u1"),
        ("marks", "u1"),
        ("end", "u1"),  # End
        ("reserved", "<u4"),
    ]
)
"""A lifetime that has ended: what models of survival are made of."""

_SHARED = (
    "stack_id",
    "birth_ns",
    "seen_ns",
    "size_bytes",
    "text",
    "text_bytes",
    "pid",
    "weight",
    "how",
    "kind",
    "marks",
)
_OF_BIRTH = ("stack_id", "pid", "tid", "descriptor", "source", "detail", "weight")

KIND_OF_HOW = np.zeros(256, np.uint8)
"""By abi.BirthHow; what a dup or a received descriptor is shows only later."""

for _how, _kind in {
    BirthHow.OPEN: HandleKind.FILE,
    BirthHow.SOCKET: HandleKind.SOCKET,
    BirthHow.SOCKETPAIR: HandleKind.SOCKET,
    BirthHow.ACCEPT: HandleKind.SOCKET,
    BirthHow.PIPE: HandleKind.PIPE,
    BirthHow.EPOLL: HandleKind.EPOLL,
    BirthHow.EVENTFD: HandleKind.EVENTFD,
    BirthHow.TIMERFD: HandleKind.TIMERFD,
    BirthHow.SIGNALFD: HandleKind.SIGNALFD,
    BirthHow.INOTIFY: HandleKind.INOTIFY,
    BirthHow.MEMFD: HandleKind.MEMFD,
    BirthHow.PIDFD: HandleKind.PIDFD,
    BirthHow.IO_URING: HandleKind.IO_URING,
    BirthHow.OTHER: HandleKind.OTHER,
}.items():
    KIND_OF_HOW[_how] = _kind


def born(births: Rows) -> Rows:
    """Return the entries that these births make; their texts are not set."""
    entries = np.zeros(len(births), ENTRY)
    for name in _OF_BIRTH:
        entries[name] = births[name]
    entries["birth_ns"] = entries["seen_ns"] = births["time_ns"]
    entries["how"] = births["how"]
    entries["kind"] = KIND_OF_HOW[entries["how"]]
    return entries


def found(descriptors: npt.NDArray[np.integer], pid: int, seen_ns: int, mark: Mark) -> Rows:
    """Return entries for descriptors that are open though their births were not seen."""
    entries = np.zeros(len(descriptors), ENTRY)
    entries["descriptor"] = descriptors
    entries["pid"] = pid
    entries["seen_ns"] = seen_ns
    entries["marks"] = mark
    entries["source"] = -1
    return entries


def ended(entries: Rows, end_ns: object, end: object) -> Rows:
    """Return the lifetimes of entries that end now."""
    finished = np.zeros(len(entries), FINISHED)
    for name in _SHARED:
        finished[name] = entries[name]
    finished["end_ns"] = end_ns
    finished["end"] = end
    return finished


def lived(births: Rows, end_ns: object, end: object) -> Rows:
    """Return the lifetimes of births that ended before anybody made an entry of them."""
    finished = np.zeros(len(births), FINISHED)
    for name in ("stack_id", "pid", "weight"):
        finished[name] = births[name]
    finished["birth_ns"] = finished["seen_ns"] = births["time_ns"]
    finished["how"] = births["how"]
    finished["kind"] = KIND_OF_HOW[finished["how"]]
    finished["end_ns"] = end_ns
    finished["end"] = end
    return finished
