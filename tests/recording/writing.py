"""A program that records a made-up service as fast as it can, and says what it has committed.

    writing.py FILE [RING_SECONDS]

Tests kill it, or fill the disk under it.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from memprobe.detectors.verdicts import Verdicts
from memprobe.experience import Experience
from memprobe.ledger import Ledger
from memprobe.ledger.opening import opening
from memprobe.recording import RecordingQueue, RecordingWriter
from memprobe.recording.heaps import spill
from memprobe.session import fold
from memprobe.session.states import Standing, state_of
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.kept_heap import KeptHeap
from memprobe.vocab.stack import Frame, Stack

NS = 1_000_000_000
PID, FILES = 7, 1 << 63
STATE_S = 13
"""Between two states of a recording that is no ring; commits are in between."""

HEAP_S, HEAP_NUMBERS = 31, 10_000
"""Between two whole heaps; each takes some 80 kB."""

FACTS: dict[str, Any] = {
    "pid": PID,
    "target": {"pid": PID},
    "created_at": "2026-01-01T00:00:00Z",
    "begin_ns": NS,
    "tier": 2,
    "tree": False,
    "ended": None,
    "overhead": {},
    "invisible": [],
}


def batch(second: int, closed: int = 9) -> Batch:
    """One second: ten files are opened at one place and nine are closed."""
    births = np.zeros(10, rows.BIRTH)
    births["time_ns"] = second * NS + np.arange(10) * 1000
    births["pid"] = births["tid"] = PID
    births["files"], births["how"], births["weight"], births["source"] = FILES, 1, 1, -1
    births["stack_id"], births["path_bytes"] = 1 + second % 50, 8
    births["descriptor"] = second + np.arange(10)
    deaths = np.zeros(closed, rows.DEATH)
    deaths["time_ns"] = births["time_ns"][10 - closed :] + 500
    deaths["pid"] = deaths["tid"] = PID
    deaths["files"], deaths["how"] = FILES, 1
    deaths["first"] = deaths["last"] = births["descriptor"][10 - closed :]
    sample = rows.unmeasured(1)
    sample["time_ns"], sample["pid"], sample["rss_bytes"] = (
        (second + 1) * NS,
        PID,
        (100 << 20) + second * 4096,
    )
    stacks = {
        1 + second % 50: Stack((Frame("work", "/srv/app.py", second), Frame("main", "/srv/app.py", 1)), True)
    }
    return Batch(
        "made",
        second * NS,
        (second + 1) * NS,
        drained_ns=(second + 1) * NS,
        births=births,
        paths=b"".join(b"/tmp/%03d" % (number % 1000) for number in births["descriptor"]),
        deaths=deaths,
        tables=census(second * NS - NS // 2) if second == 1 else rows.no_rows(rows.TABLE),
        stacks=stacks if second <= 50 else {},
        samples=sample,
    )


def census(time_ns: int) -> rows.Rows:
    """Nothing was open when it began."""
    shown = np.zeros(1, rows.TABLE)
    shown["time_ns"], shown["pid"], shown["tid"], shown["files"] = time_ns, PID, PID, FILES
    shown["words"] = shown["table_words"] = 1
    return shown


def heap(second: int) -> KeptHeap:
    """A heap that says when it was taken, in all its parts."""
    numbers = np.random.default_rng(second).integers(0, 1 << 32, HEAP_NUMBERS, np.uint32)
    return KeptHeap({"second": second}, {"numbers": numbers, "same": numbers ^ np.uint32(second)})


def write_heap(queue: RecordingQueue, second: int) -> None:
    """Have one put in the place of the last."""
    content = tempfile.TemporaryFile()  # noqa: SIM115 (the queue closes it)
    queue.write_heap(spill(heap(second), content), content)


def main() -> None:
    """Write until somebody ends it; a failure is told, and ends it, too."""
    ring_s = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    queue = RecordingQueue(RecordingWriter(Path(sys.argv[1]), FACTS))
    experience = Experience(PID)
    verdicts = Verdicts(PID, normal=experience.normal)
    standing = Standing(Ledger(tree=False), experience, verdicts, None)
    for second in count(1):
        made = batch(second)
        queue.write(made)
        fold(standing.ledger, made, PID, experience, verdicts)
        if not ring_s and second % STATE_S == 0:
            queue.write_state(state_of(standing))
        if second % HEAP_S == 0:
            write_heap(queue, second)
        if ring_s and second % max(1, ring_s // 4) == 0:
            queue.begin_again(opening(standing.ledger), ring_s * NS)
        if second % 5 == 0:
            queue.flush()
            if queue.failure is not None:
                queue.close()
                print("failed", queue.failure, flush=True)
                return
            print(second, flush=True)


if __name__ == "__main__":
    main()
