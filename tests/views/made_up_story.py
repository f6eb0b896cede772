"""A run that nobody made, as long as is asked for: samples, counts and an address space in a real ledger."""

from __future__ import annotations

from typing import Any

import numpy as np

from memprobe.ledger import Ledger
from memprobe.views.history import History
from memprobe.views.story import Story
from memprobe.vocab.batch import Batch
from memprobe.vocab.kinds import RegionKind
from memprobe.vocab.rows import POPULATION, REGION, unmeasured
from memprobe.vocab.subject import Subject, What
from views.made_up_report import HOSTILE, report

PID = 4711
NS = 1_000_000_000
SUBJECTS = 60


def subjects() -> dict[int, Subject]:
    """Types and holders, one within another; the first is hostile."""
    found = {0: Subject(What.TYPE, HOSTILE), 1: Subject(What.CONTAINER, HOSTILE, HOSTILE)}
    for number in range(2, SUBJECTS, 2):
        found[number] = Subject(What.TYPE, f"app.models.Model{number}")
        chain = (f"app{number % 3}.cache.ALL",) if number % 4 else ()
        found[number + 1] = Subject(
            What.CONTAINER, "str", f"app{number % 3}.cache.HOLDER{number}", chain=chain
        )
    return found


def batch(number: int, step_s: float, regions: int) -> Batch:
    """What is seen in one step: everything grows."""
    end_ns = int((number + 1) * step_s * NS)
    samples = unmeasured(1)
    samples["time_ns"], samples["pid"] = end_ns, PID
    samples["rss_bytes"], samples["fds"], samples["threads"] = (50 << 20) + (number << 12), number, 8
    counts = np.zeros(SUBJECTS, POPULATION)
    counts["time_ns"], counts["pid"], counts["subject_id"] = end_ns, PID, np.arange(SUBJECTS)
    counts["count"] = 100 + number * np.arange(SUBJECTS)
    counts["bytes"], counts["oldest_ns"] = counts["count"] * 64, -1
    return Batch(
        "made",
        end_ns - int(step_s * NS),
        end_ns,
        samples=samples,
        populations=counts,
        subjects=subjects() if number == 0 else {},
        regions=space(end_ns, number, regions),
    )


def space(time_ns: int, number: int, count: int) -> Any:
    """An address space; every third region grows."""
    rows = np.zeros(count, REGION)
    places = np.arange(count)
    rows["time_ns"], rows["pid"] = time_ns, PID
    rows["kind"] = 1 + places % len(RegionKind)
    rows["start"] = 0x7F00_0000_0000 + (places << 24)
    rows["size_bytes"] = 1 << 22
    rows["used_bytes"] = (1 << 16) + np.where(places % 3 == 0, min(number, 1000) << 10, 0)
    return rows


def story(steps: int = 40, step_s: float = 10.0, regions: int = 100, **changes: Any) -> Story:
    """The run as far as the views need it."""
    ledger, history = Ledger(), History()
    for number in range(steps):
        seen = batch(number, step_s, regions)
        history.fold(ledger, ledger.fold(seen), seen.samples)
    return Story(report(**changes), ledger, history)
