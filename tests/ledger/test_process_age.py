"""How old a process is: without the time that it took to build what it has."""

from __future__ import annotations

import pytest

from memprobe.ledger.process import BUILT_BYTES_PER_S, ProcessLedger
from memprobe.vocab.rows import NOT_MEASURED, Rows, unmeasured

PID = 7
NS = 1_000_000_000


def sample(time_s: int, age_s: int, rss_bytes: int) -> Rows:
    found = unmeasured(1)
    found["pid"], found["time_ns"], found["rss_bytes"] = PID, time_s * NS, rss_bytes
    found["age_ns"] = age_s * NS if age_s >= 0 else NOT_MEASURED
    return found


@pytest.mark.parametrize(
    ("rss_bytes", "age_s", "settled_s"),
    [(int(BUILT_BYTES_PER_S), 300, 309.0), (int(100 * BUILT_BYTES_PER_S), 200, 110.0), (1 << 40, 300, 0.0)],
)
def test_loading_is_no_part_of_it(rss_bytes: int, age_s: int, settled_s: float) -> None:
    ledger = ProcessLedger()
    ledger.fold(sample(1000, age_s, rss_bytes))
    # What it has built since counts for nothing.
    ledger.fold(sample(1005, age_s + 5, 2 * rss_bytes))
    assert ledger.settled_s(PID, 1010 * NS) == pytest.approx(settled_s)


def test_nobody_knows_it_without_a_sample() -> None:
    ledger = ProcessLedger()
    assert ledger.settled_s(PID, 0) is None
    ledger.fold(sample(1000, -1, 1 << 20))
    assert ledger.settled_s(PID, 1010 * NS) is None
