"""What was born in a window and not seen to die: whether its number still stands for the same.

Between windows a descriptor may be closed, and its number given to another. In the ledger that one would have
the line of the first, until a picture shows that it is another file, or for ever if no picture was taken
between the two. So the tracer says what a new descriptor points to, and here it is looked at again: where
there is something else, the first has died. What cannot be told apart is the same file opened anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from memprobe import abi
from memprobe.abi import DeathHow
from memprobe.errors import MemprobeError
from memprobe.target.proc.process import Process
from memprobe.vocab.rows import DEATH, Rows, no_rows

MOST = 20_000
"""The newest are kept; of older ones a picture has shown what they are."""

AT_ONCE = 256
"""Links that are read in one poll."""

DELETED = b" (deleted)"

SURVIVOR = np.dtype([("pid", "<u4"), ("descriptor", "<i4"), ("time_ns", "<u8"), ("text", "S56")])
"""A descriptor whose birth was told, and what it pointed to then."""


class Survivors:
    """Descriptors that are open as far as the tracer has told."""

    def __init__(self) -> None:
        self._rows = no_rows(SURVIVOR)
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, links: Rows, deaths: Rows) -> None:
        """Take in what the tracer tells: LINK records, and DEATH rows."""
        born = np.zeros(len(links), SURVIVOR)
        for name, values in (*_header(links), ("descriptor", links["descriptor"]), ("text", links["text"])):
            born[name] = values
        died = np.zeros(len(deaths), SURVIVOR)
        died["pid"], died["descriptor"], died["time_ns"] = deaths["pid"], deaths["first"], deaths["time_ns"]
        # An empty text is a death: links never are empty.
        self._rows = _last(np.concatenate([self._rows, died, born]))[-MOST:]

    def forget(self, pids: Sequence[int]) -> None:
        """Keep only those of these processes."""
        self._rows = self._rows[np.isin(self._rows["pid"], pids)]

    def gone(self, process_of: Callable[[int], Process | None], now_ns: int) -> Rows:
        """Look at some of them; return DEATH rows of those that are not what they were."""
        looked_at = self._rows[self._next : self._next + AT_ONCE]
        self._next = 0 if self._next + AT_ONCE >= len(self._rows) else self._next + AT_ONCE
        changed = np.zeros(len(looked_at), bool)
        for pid in np.unique(looked_at["pid"]).tolist():
            mine = looked_at["pid"] == pid
            changed[mine] = _changed(process_of(pid), looked_at[mine])
        gone = looked_at[changed]
        self._rows = self._rows[~np.isin(self._rows[["pid", "descriptor"]], gone[["pid", "descriptor"]])]
        return _deaths(gone, now_ns)


def _header(links: Rows) -> list[tuple[str, Rows]]:
    return [(name, links["header"][name]) for name in ("pid", "time_ns")]


def _last(rows: Rows) -> Rows:
    """Return of each descriptor what came last, if it was not its death."""
    order = np.lexsort((rows["time_ns"], rows["descriptor"], rows["pid"]))
    rows = rows[order]
    key = rows[["pid", "descriptor"]]
    is_last = np.append(key[1:] != key[:-1], np.ones(min(len(rows), 1), bool))
    left: Rows = rows[is_last & (rows["text"] != b"")]
    ordered: Rows = left[np.argsort(left["time_ns"], kind="stable")]
    return ordered


def _changed(process: Process | None, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For each whether it points to something else now, or to nothing; False where that cannot be seen."""
    if process is None:
        return np.zeros(len(rows), bool)
    try:
        folder = process.folder.open("fd", os.O_RDONLY | os.O_DIRECTORY)
    except (MemprobeError, OSError):
        return np.zeros(len(rows), bool)
    try:
        same = [_is_same(text, _link(folder, descriptor)) for _, descriptor, _, text in rows.tolist()]
    finally:
        os.close(folder)
    if process.folder.is_gone():  # then everything seems to be closed, and has ended with its process
        return np.zeros(len(rows), bool)
    return ~np.array(same, bool)


def _is_same(before: bytes, now: bytes) -> bool:
    """Whether a link says what it said, or that this file was deleted meanwhile."""
    return bool(now) and now.startswith(before) and DELETED.startswith(now[len(before) :])


def _link(folder: int, descriptor: int) -> bytes:
    try:
        return os.readlink(str(descriptor).encode(), dir_fd=folder)[: abi.MAX_LINK_BYTES]
    except OSError:
        return b""


def _deaths(rows: Rows, now_ns: int) -> Rows:
    deaths = np.zeros(len(rows), DEATH)
    deaths["time_ns"], deaths["how"] = now_ns, DeathHow.CLOSE
    deaths["pid"] = deaths["tid"] = deaths["files"] = rows["pid"]
    deaths["first"] = deaths["last"] = rows["descriptor"]
    return deaths
