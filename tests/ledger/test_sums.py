"""Growth, samples and collections added up."""

from __future__ import annotations

import numpy as np
import pytest

from memprobe.abi import GrowthHow, ProcessHow
from memprobe.ledger import Ledger
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack

SECOND_NS = 1_000_000_000
MIB = 1 << 20
PID = 7
STACK = Stack((Frame("grow", "/srv/app.py", 9),), True)


def sample(time_ns: int, **measured: object) -> Rows:
    row = rows.unmeasured(1)
    row["time_ns"], row["pid"] = time_ns, PID
    for name, value in measured.items():
        row[name] = value
    return row


def growth(stack_id: int, how: int, grown: int, freed: int = 0) -> Rows:
    row = np.zeros(1, rows.GROWTH)
    row["stack_id"], row["how"], row["grown_bytes"], row["freed_bytes"] = stack_id, how, grown, freed
    row["pid"], row["events"] = PID, 1
    return row


def grown(*ticks: tuple[int, list[Rows]]) -> Ledger:
    """A ledger after one tick a second, each with an RSS in MiB and growth rows."""
    ledger = Ledger()
    for second, (rss_mb, deltas) in enumerate(ticks, 1):
        ledger.fold(
            Batch(
                "made",
                (second - 1) * SECOND_NS,
                second * SECOND_NS,
                growth=np.concatenate([rows.no_rows(rows.GROWTH), *deltas]),
                samples=sample(second * SECOND_NS, rss_bytes=rss_mb * MIB, cpu_ns=second * SECOND_NS // 4),
                stacks={3: STACK},
            )
        )
    return ledger


def test_the_account_closes() -> None:
    anonymous = GrowthHow.RSS_ANONYMOUS
    ledger = grown(
        (100, [growth(3, anonymous, 5 * MIB)]),
        (108, [growth(3, anonymous, 10 * MIB, 3 * MIB), growth(0, GrowthHow.RSS_FILE, MIB)]),
        (108, [growth(3, GrowthHow.MMAP, 50 * MIB), growth(3, GrowthHow.RSS_SWAP, 9 * MIB)]),
    )
    (account,) = ledger.growth.accounts()
    assert (account.rss_change_bytes, account.explained_bytes, account.with_stack_bytes) == (
        8 * MIB,
        8 * MIB,
        7 * MIB,
    )
    assert account.ratio == 1


def test_growth_by_site_is_net_and_has_the_names_of_the_report() -> None:
    ledger = grown(
        (100, [growth(3, GrowthHow.RSS_ANONYMOUS, 10 * MIB, 4 * MIB), growth(3, GrowthHow.ARENA, MIB)]),
        (100, [growth(3, GrowthHow.FAULT, 2 * MIB), growth(4, GrowthHow.RSS_SWAP, MIB)]),
    )
    fault, arena = ledger.growth_sites()
    assert (fault.how, fault.bytes, fault.site) == ("fault", 8 * MIB, STACK.frames)
    assert fault.bytes_per_s == pytest.approx(4 * MIB)
    assert (arena.how, arena.bytes, arena.events) == ("arena", MIB, 1)


def test_what_was_not_measured_is_none() -> None:
    ledger = grown((100, []), (101, []), (102, []))
    memory, process = ledger.memory(PID), ledger.process(PID)
    assert memory.rss_mb == 102
    assert memory.rss_growth_mb_per_h == pytest.approx(3600)
    assert memory.python_mb is None
    assert process.cpu_pct == pytest.approx(25)
    assert (process.threads, process.gc.enabled, process.gc.counts, process.gc.pause_ms) == (None,) * 4
    assert ledger.memory(99).rss_mb is None


def test_a_long_series_keeps_its_slope_in_little_room() -> None:
    ledger = Ledger()
    for tick in range(20_000):
        ledger.processes.fold(sample(tick * SECOND_NS, rss_bytes=tick * 1000))
    assert len(ledger.processes.rss(PID)) <= 4096
    slope = ledger.memory(PID).rss_growth_mb_per_h
    assert slope == pytest.approx(1000 * 3600 / MIB)


def test_collections_add_up_by_generation() -> None:
    seen = np.zeros(3, rows.COLLECTION)
    seen["pid"], seen["generation"] = PID, [0, 2, 2]
    seen["duration_ns"], seen["collected"] = [1_000_000, 5_000_000, 2_000_000], [-1, 10, 4]
    ledger = Ledger()
    ledger.fold(Batch("made", 0, 1, collections=seen))
    ledger.fold(Batch("made", 1, 2, collections=seen))
    young, old = (ledger.collector.generations(PID)[number] for number in (0, 2))
    assert (young.collections, young.collected) == (2, None)
    assert (old.collections, old.collected, old.longest_ns) == (4, 28, 5_000_000)
    assert ledger.process(PID).gc.pause_ms == pytest.approx(16)


def test_losses_and_what_is_invisible_are_kept() -> None:
    ledger = Ledger()
    ledger.fold(Batch("kernel", 0, 1, losses={"birth_ring_full": 2}, invisible=("io_uring",)))
    ledger.fold(Batch("kernel", 1, 2, losses={"birth_ring_full": 1}))
    assert ledger.losses == {"birth_ring_full": 3}
    assert ledger.invisible == {"kernel": ()}


def ending(pid: int, time_ns: int, how: ProcessHow = ProcessHow.EXIT) -> Rows:
    row = np.zeros(1, rows.PROCESS)
    row["how"], row["pid"], row["tid"], row["time_ns"] = how, pid, pid, time_ns
    row["files"] = row["from_files"] = pid
    return row


def of(pid: int, made: Rows) -> Rows:
    """The same rows, of another process."""
    made["pid"] = pid
    return made


def test_of_those_that_have_ended_nothing_stays_but_what_they_have_grown_by() -> None:
    """A service may start processes for ever; what it has started may not pile up here."""
    ledger, arena = Ledger(), GrowthHow.ARENA
    collection = np.zeros(1, rows.COLLECTION)
    ledger.fold(Batch("made", 0, 1, samples=sample(1, rss_bytes=MIB), stacks={3: STACK}))
    for child in range(100, 200):
        at_ns = child * SECOND_NS
        ledger.fold(
            Batch(
                "made",
                at_ns,
                at_ns + 1,
                samples=of(child, sample(at_ns, rss_bytes=MIB)),
                growth=of(child, growth(3, arena, MIB)),
                collections=of(child, collection.copy()),
            )
        )
        ledger.fold(Batch("made", at_ns + 1, at_ns + 2, processes=ending(child, at_ns + 2)))
        # The last of its growth comes behind its end, and so may a sample.
        late = of(child, growth(3, arena, MIB))
        torn_down = of(child, sample(at_ns + 3, rss_bytes=MIB, threads=1))
        ledger.fold(Batch("made", at_ns + 2, at_ns + 3, growth=late, samples=torn_down))
    assert ledger.processes.pids() == [PID]
    assert {one.pid for one in ledger.populations} == {PID}
    assert not ledger.collector.generations(199)
    assert len(ledger.growth.totals()) <= 2
    (site,) = ledger.growth_sites()
    assert (site.bytes, site.events, site.site) == (200 * MIB, 200, STACK.frames)


def test_another_program_begins_anew() -> None:
    ledger = Ledger()
    space = np.zeros(1, rows.REGION)
    space["pid"], space["used_bytes"] = PID, 3 * MIB
    ledger.fold(Batch("made", 0, 2, samples=sample(1, rss_bytes=9 * MIB, fds=5), regions=space))
    ledger.fold(Batch("made", 2, 3, samples=of(8, sample(2, rss_bytes=MIB))))
    ledger.fold(Batch("made", 3, 4, processes=ending(PID, 4, ProcessHow.EXEC)))
    assert ledger.memory(PID).rss_mb == 9  # as long as there is nothing newer
    again = space.copy()
    again["used_bytes"] = 4 * MIB
    ledger.fold(Batch("made", 4, 6, samples=sample(5, rss_bytes=MIB), regions=again))
    assert ledger.processes.newest()["pid"].tolist() == [PID, 8]
    assert (ledger.memory(PID).rss_mb, ledger.process(PID).fds) == (1, None)
    assert ledger.regions.grown_bytes(PID) == [0]
