"""A ProcfsSource on a target, and its pictures as dictionaries."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from memprobe.sources.procfs import ProcfsOptions, ProcfsSource
from memprobe.sources.procfs.networks import Networks
from memprobe.sources.procfs.pictures import Picture, Pictures
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import open_process
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.kinds import HandleKind, SocketState

OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""Runs a command in a network of its own, in which it can reach itself."""

LIMIT_NS = 60_000_000_000


@dataclass(frozen=True)
class Shown:
    """One row of a picture, readable."""

    kind: str
    inode: int
    family: int
    state: str
    received: int
    sent: int
    text: str


def shown(handles: Handles) -> dict[int, Shown]:
    assert len(handles.rows) == len(handles.texts)
    return {
        int(row["descriptor"]): Shown(
            HandleKind(row["kind"]).name.lower(),
            int(row["inode"]),
            int(row["family"]),
            SocketState(row["state"]).name,
            int(row["receive_queue_bytes"]),
            int(row["send_queue_bytes"]),
            text,
        )
        for row, text in zip(handles.rows, handles.texts, strict=True)
    }


@contextmanager
def watched(pid: int, python: Python | None = None, **options: Any) -> Iterator[ProcfsSource]:
    with open_process(pid) as process:
        source = ProcfsSource(process, python, ProcfsOptions(**options))
        try:
            source.start()
            yield source
        finally:
            source.close()


@contextmanager
def pictures_of(pid: int) -> Iterator[Pictures]:
    with open_process(pid) as process:
        yield Pictures(process, Networks())


def picture(pid: int, limit_ns: int = LIMIT_NS) -> Picture:
    with pictures_of(pid) as pictures:
        return pictures.take(limit_ns)


def links_ns(pid: int) -> int:
    """The CPU time that the links of all descriptors take just now: how fast this machine is."""
    begin_ns = time.thread_time_ns()
    for name in os.listdir(f"/proc/{pid}/fd"):
        os.readlink(f"/proc/{pid}/fd/{name}")
    return time.thread_time_ns() - begin_ns


def polled(source: ProcfsSource) -> Batch:
    batch = source.poll()
    assert batch is not None
    return batch
