"""From batches to findings: ids that stay, times that are those of the data, replays that are identical."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.made_up import SECOND, suspect
from memprobe.abi import ProcessHow
from memprobe.config import DEFAULTS
from memprobe.detectors.confidence import confidence
from memprobe.detectors.evidence import Evidence, Suspect
from memprobe.detectors.verdicts import Verdicts
from memprobe.ledger import Ledger
from memprobe.recording.reader import RecordingReader
from memprobe.recording.writer import RecordingWriter
from memprobe.session import fold
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Kind, Severity
from memprobe.vocab.rows import NOT_MEASURED, Rows, unmeasured
from memprobe.vocab.subject import Seen, Subject, What

PID = 7


@dataclass(frozen=True)
class Everything:
    """Takes every container that grows for a cache."""

    kind: Kind = Kind.CACHES

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        for one in evidence.growing(What.CONTAINER):
            sure = confidence(one.growth.probability)
            yield suspect(self.kind, one, holder=one.subject.holder, confidence=sure)


def containers(*holders: str) -> dict[int, Subject]:
    return {number: Subject(What.CONTAINER, holder=holder) for number, holder in enumerate(holders, 1)}


def counted(time_ns: int, counts: Sequence[int], pid: int = PID) -> Rows:
    table = np.zeros(len(counts), rows.POPULATION)
    table["time_ns"], table["pid"], table["count"] = time_ns, pid, counts
    table["subject_id"] = np.arange(1, len(counts) + 1)
    table["bytes"] = table["oldest_ns"] = NOT_MEASURED
    return table


def sampled(time_ns: int) -> Rows:
    table = unmeasured(1)
    table["time_ns"], table["pid"] = time_ns, PID
    table["rss_bytes"], table["fds"], table["fd_limit"] = 1 << 24, 20, 1024
    return table


def course(
    seconds: int, counts: Sequence[Sequence[int]], holders: Sequence[str], every_s: int = 1
) -> Iterator[Batch]:
    """One batch every so many seconds of what a heap has, and one of /proc after it."""
    subjects = containers(*holders)
    for second in range(0, seconds, every_s):
        begin, end = second * SECOND, (second + every_s) * SECOND
        numbers = counted(end - 10, counts[second])
        yield Batch("heap", begin, end - 5, populations=numbers, subjects=subjects if not second else {})
        yield Batch("procfs", begin, end, samples=sampled(end))


def judged(batches: Sequence[Batch], *, tree: bool = False) -> Verdicts:
    config = DEFAULTS.having({"run.tree": tree})
    ledger, verdicts = Ledger(tree=tree), Verdicts(PID, config, detectors=(Everything(),))
    for batch in batches:
        fold(ledger, batch, PID, verdicts)
    verdicts.settle(ledger)
    return verdicts


def leaking(seconds: int, per_s: int = 50, begin_s: int = 0) -> list[Sequence[int]]:
    return [[100 + per_s * max(0, second - begin_s), 40] for second in range(seconds)]


def test_a_steady_leak_is_found_and_what_is_flat_is_not() -> None:
    verdicts = judged(list(course(60, leaking(60), ["app.LEAK", "app.FLAT"])))
    (found,) = verdicts.verdict.findings
    assert (found.holder, found.count, found.added) == ("app.LEAK", 3050, 2950)
    assert found.count_per_s == pytest.approx(50, rel=0.05)
    assert found.confidence >= 0.5
    assert 2 < found.detected_after_s < 60
    assert found.suggested_fix.startswith("Limit app.LEAK")


def test_a_leak_that_begins_after_an_hour_of_health() -> None:
    healthy, seconds = 3600, 3600 + 900
    counts = leaking(seconds, begin_s=healthy)
    verdicts = judged(list(course(seconds, counts, ["app.LATE", "app.FLAT"], every_s=10)))
    (found,) = verdicts.verdict.findings
    assert found.holder == "app.LATE"
    assert found.confidence >= 0.5
    assert found.detected_after_s > healthy


def test_an_id_stays_when_more_becomes_known() -> None:
    batches = list(course(60, leaking(60), ["", "app.FLAT"]))
    early = judged(batches).verdict.findings
    later = Subject(What.CONTAINER, holder="app.NAMED")
    more = counted(61 * SECOND - 10, [3150, 40])
    batches += [
        Batch("heap", 60 * SECOND, 61 * SECOND - 5, populations=more, subjects={1: later}),
        Batch("procfs", 60 * SECOND, 61 * SECOND, samples=sampled(61 * SECOND)),
    ]
    (late,) = judged(batches).verdict.findings
    assert late.holder == "app.NAMED"
    assert [late.id] == [one.id for one in early]
    assert late.detected_after_s == early[0].detected_after_s


def test_what_has_died_is_no_finding_any_more() -> None:
    batches = list(course(60, leaking(60), ["app.LEAK", "app.FLAT"]))
    gone = counted(61 * SECOND - 10, [NOT_MEASURED])
    gone["flags"] = Seen.DIED
    batches += [
        Batch("heap", 60 * SECOND, 61 * SECOND - 5, populations=gone),
        Batch("procfs", 60 * SECOND, 61 * SECOND, samples=sampled(61 * SECOND)),
    ]
    assert judged(batches).verdict.findings == ()


def flushed(at_s: int, seconds: int, again_per_s: int = 50) -> list[Sequence[int]]:
    """A buffer that is emptied once, and fills again."""
    return [
        [50 * second if second < at_s else again_per_s * (second - at_s), 40] for second in range(seconds)
    ]


def test_a_finding_that_was_flushed_is_taken_back_at_once_and_says_so() -> None:
    batches = list(course(90, flushed(40, 90), ["app.BUFFER", "app.FLAT"]))
    (sure,) = judged(batches[: 2 * 40]).verdict.findings
    assert sure.confidence >= 0.5
    (back,) = judged(batches[: 2 * 41]).verdict.findings
    assert back.confidence < 0.1
    assert (back.id, back.count, back.exhausts_in_s) == (sure.id, 0, None)
    assert back.evidence[0].startswith("Taken back 41 s after the attach, flushed: ")
    (still_back,) = judged(batches).verdict.findings
    assert still_back.confidence < 0.5
    assert still_back.evidence[0].startswith("Taken back 42 s after the attach, flushed: ")


def test_what_leaks_on_after_it_was_flushed_once_is_found_again() -> None:
    batches = list(course(400, flushed(40, 400), ["app.LEAK", "app.FLAT"]))
    (again,) = judged(batches).verdict.findings
    assert again.confidence >= 0.5
    assert not any(sentence.startswith("Taken back") for sentence in again.evidence)


def test_what_leaked_in_a_worker_that_has_ended_stays_and_says_so() -> None:
    worker = 8
    batches = [
        replace(batch, populations=np.concatenate([batch.populations, more])) if len(more) else batch
        for batch, more in (
            (batch, counted(batch.end_ns - 5, [50 * (batch.end_ns // SECOND)], worker))
            if batch.source == "heap"
            else (batch, batch.populations)
            for batch in course(60, [[40, 40]] * 60, ["app.LEAK", "app.FLAT"])
        )
    ]
    (sure,) = judged(batches, tree=True).verdict.findings
    assert sure.confidence >= 0.5
    end = np.zeros(1, rows.PROCESS)
    end["time_ns"], end["how"], end["pid"], end["tid"] = 60 * SECOND, ProcessHow.EXIT, worker, worker
    batches += [
        Batch("kernel", 60 * SECOND, 60 * SECOND + 1, processes=end),
        *(Batch("procfs", n * SECOND, (n + 1) * SECOND, samples=sampled((n + 1) * SECOND)) for n in (60, 61)),
    ]
    (ended,) = judged(batches, tree=True).verdict.findings
    assert ended.title == f"{sure.title}; its process has ended"
    assert ended.evidence[0] == "Process 8 has ended; this is how it stood shortly before."
    assert (ended.id, ended.confidence, ended.count) == (sure.id, sure.confidence, sure.count)
    assert (ended.exhausts_in_s, ended.severity) == (None, Severity.INFO)


def test_a_program_that_is_begun_anew_by_exec_has_no_past() -> None:
    """Its numbers begin again below those of the program before: that is no fall."""
    counts = [*leaking(60, per_s=500), *leaking(60)]
    batches = list(course(120, counts, ["app.LEAK", "app.FLAT"]))
    began = np.zeros(1, rows.PROCESS)
    began["time_ns"], began["how"], began["pid"], began["tid"] = 60 * SECOND, ProcessHow.EXEC, PID, PID
    batches.insert(2 * 60, Batch("kernel", 60 * SECOND, 60 * SECOND + 1, processes=began))
    (found,) = judged(batches).verdict.findings
    assert (found.count, found.added) == (3050, 2950)
    assert found.confidence >= 0.5
    assert "without a fall" in found.evidence[0]


def worker_memo(root_age_s: int, seconds: int) -> Iterator[Batch]:
    """A process and its worker, which is as old as the run and comes to know 20 things a second."""
    worker = 8
    for second in range(seconds):
        end = (second + 1) * SECOND
        known = counted(end - 5, [40 + 20 * second], worker)
        samples = np.concatenate([sampled(end), sampled(end)])
        samples["pid"] = PID, worker
        samples["age_ns"] = (root_age_s + second) * SECOND, (second + 1) * SECOND
        yield Batch("procfs", end - SECOND, end - 10, samples=samples)
        yield Batch("heap", end - SECOND, end - 2, populations=known, subjects=containers("app.MEMO"))


@pytest.mark.parametrize(("root_age_s", "seconds", "is_sure"), [(1, 60, 1), (3600, 60, 0), (3600, 180, 1)])
def test_workers_that_are_recycled_may_warm_up_each_time(
    root_age_s: int, seconds: int, is_sure: bool
) -> None:
    """A service recycles its workers every few minutes: alarms at their warm-ups would have no end."""
    findings = judged(list(worker_memo(root_age_s, seconds)), tree=True).verdict.findings
    assert sum(one.confidence >= 0.5 for one in findings) == is_sure


def test_without_a_sample_of_the_target_nothing_is_judged() -> None:
    batches = [batch for batch in course(60, leaking(60), ["app.LEAK", "app.FLAT"]) if batch.source == "heap"]
    assert judged(batches).verdict.findings == ()


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 90), st.integers(-40, 60), st.integers(0, 3)), min_size=20, max_size=60
    ),
    cuts=st.lists(st.booleans(), min_size=60, max_size=60),
)
@settings(max_examples=10, deadline=None)
def test_batches_may_be_cut_anywhere_and_recorded(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int]], cuts: list[bool]
) -> None:
    """A batch in one piece or in two, live or from a file: the same findings, bit for bit."""
    totals = np.maximum(0, np.cumsum(np.array(steps), axis=0)).tolist()
    whole = list(course(len(steps), totals, ["app.A", "app.B", "app.C"]))
    once = judged(whole).verdict
    assert judged(list(_cut(whole, cuts))).verdict == once
    assert judged(list(_recorded(tmp_path_factory.mktemp("cut") / "run.mprobe", whole))).verdict == once


def _cut(batches: Sequence[Batch], cuts: Sequence[bool]) -> Iterator[Batch]:
    """Cut the numbers of a batch into two batches of the same source."""
    for place, batch in enumerate(batches):
        if len(batch.populations) and cuts[place % len(cuts)]:
            middle = (batch.begin_ns + batch.end_ns) // 2
            yield replace(batch, end_ns=middle, populations=batch.populations[:1])
            yield replace(batch, begin_ns=middle, populations=batch.populations[1:], subjects={})
        else:
            yield batch


def _recorded(path: Path, batches: Sequence[Batch]) -> Iterator[Batch]:
    writer = RecordingWriter(path, {})
    for batch in batches:
        writer.write(batch)
    writer.close()
    with RecordingReader(path) as reader:
        yield from iter(reader.poll, None)
