"""Cost samples out and back, and a governor that decides the same by them."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.recording.columns import BadBlob
from memprobe.recording.costs import Block, CostPacker, unpacked_costs
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import CostSample, Hook, ProgramRuns, SourceCosts
from memprobe.vocab.rows import NOT_MEASURED, unmeasured

counters = st.integers(0, (1 << 62) - 1)
known = st.none() | counters
programs = st.builds(
    ProgramRuns, st.sampled_from(["born", "é", ""]), st.sampled_from(Hook), known, known, known
)
sources = st.builds(
    SourceCosts,
    programs=st.lists(programs, max_size=3).map(tuple),
    syscall_tracepoints=counters,
    target_syscalls=known,
    target_syscalls_exact=st.booleans(),
    target_cpu_ns=known,
    target_system_ns=known,
    target_switches=known,
    armed_watchpoints=counters,
    stopped_ns=counters,
    longest_stop_ns=counters,
    helper_cpu_ns=counters,
    helper_bytes=counters,
    ahead_ns=counters,
)
samples = st.builds(CostSample, counters, sources, counters, known, known)


@given(st.lists(st.lists(samples, max_size=4), max_size=4))
def test_what_was_packed_comes_back(written: list[list[CostSample]]) -> None:
    packer = CostPacker()
    blocks: list[Block] = []
    for block in written:
        for sample in block:
            blocks += packer.add(sample)
        blocks += packer.take()
    assert list(unpacked_costs(blocks)) == [sample for block in written for sample in block]


@given(st.lists(samples, min_size=1, max_size=4))
def test_a_block_of_before_helpers_were_weighed(written: list[CostSample]) -> None:
    """It lacks the last two counters of the sources; they are 0 then."""
    older = [replace(one, sources=replace(one.sources, programs=())) for one in written]
    packer = CostPacker()
    blocks = [block for one in older for block in packer.add(one)]
    blocks += packer.take()
    (count, head, data), *more = blocks
    columns = np.frombuffer(zlib.decompress(data), "<i8").reshape(-1, count)
    assert not more
    stored = (count, head, zlib.compress(columns[:-2].tobytes()))
    assert list(unpacked_costs([stored])) == [
        replace(one, sources=replace(one.sources, helper_bytes=0, ahead_ns=0)) for one in older
    ]


@given(st.integers(), st.none() | st.text(max_size=20), st.binary(max_size=40))
def test_whatever_a_block_holds(count: int, head: str | None, data: bytes) -> None:
    try:
        list(unpacked_costs([(count, head, data)]))
    except (BadBlob, ValueError, TypeError):
        pass


def storm() -> list[CostSample]:
    """A target that loses 60 % of a core from the fifth second on, and is calm again from the tenth."""
    made, runs = [], 0
    for check in range(100):
        runs += 100_000 if 25 <= check < 50 else 10
        born = ProgramRuns("born", Hook.SYSCALL, runs, runs * 1000, runs)
        costs = SourceCosts((born,), syscall_tracepoints=50, target_system_ns=runs * 2000)
        made.append(CostSample(check * 200_000_000, costs, check * 1_000_000, 40_000_000))
    return made


def test_a_second_takes_little_room(tmp_path: Path) -> None:
    table = [f"program_{number}" for number in range(40)]
    packer, stored = CostPacker(), 0
    for check in range(500):
        own = tuple(
            ProgramRuns(name, Hook.SYSCALL, check * 7 * place, check * 5001 * place, None)
            for place, name in enumerate(table)
        )
        assert not list(packer.add(CostSample(check * 200_000_000, SourceCosts(own), check * 912_345)))
        if check % 5 == 4:
            stored += sum(len(data) for _, _, data in packer.take())
    assert stored / 100 < 700


def test_a_file_of_before_there_were_these_columns(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    row = unmeasured(1)
    row["rss_bytes"], row["uss_bytes"] = 5, 7
    with RecordingWriter(path, {"tier": 2}) as writer:
        writer.write(Batch("made", 0, 1, samples=row))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("ALTER TABLE samples DROP COLUMN uss_bytes")
        database.execute("DROP TABLE costs")
    with RecordingReader(path) as reader:
        assert list(reader.costs()) == []
        batch = reader.poll()
    assert batch is not None
    assert (batch.samples["rss_bytes"][0], batch.samples["uss_bytes"][0]) == (5, NOT_MEASURED)


def test_damaged_costs_are_said(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    with RecordingWriter(path, {"tier": 2}) as writer:
        writer.write_cost(storm()[0])
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE costs SET data = x'00'")
    with RecordingReader(path) as reader:
        assert list(reader.costs()) == []
        assert "what memprobe cost (1)" in reader.damage.sentence()
