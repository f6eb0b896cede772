"""What is used up first, how urgent that is, and which finding stands first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.made_up import SECOND, SITE, grown, growth, suspect
from memprobe.abi import GrowthHow
from memprobe.config import Thresholds
from memprobe.detectors.evidence import Evidence
from memprobe.detectors.fixes import ADVICE, Cause, advice
from memprobe.detectors.merging import merge
from memprobe.detectors.ranking import Exhaustion, exhaustion, ranked, severity
from memprobe.detectors.wording import finding
from memprobe.ledger import Ledger
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Finding, Kind, Severity
from memprobe.vocab.rows import unmeasured
from memprobe.vocab.stack import Frame, Stack

GB = 1 << 30


def ledger(**numbers: int) -> Ledger:
    samples = unmeasured(1)
    samples["time_ns"], samples["pid"] = SECOND, 7
    for name, number in numbers.items():
        samples[name] = number
    found = Ledger(tree=False)
    found.fold(Batch("procfs", 0, SECOND, samples=samples))
    return found


def found(of: Ledger, *suspects: Any) -> Finding:
    (leak,) = merge(suspects)
    evidence = Evidence(of, 7, 0, of.now_ns, (), None)
    return finding(leak, evidence, "caches-1", 5.0, 0.1)


def test_descriptors_run_out_before_memory() -> None:
    of = ledger(limit_bytes=2 * GB, limit_used_bytes=GB, fd_limit=1024, fds=24)
    (leak,) = merge(
        [
            suspect(Kind.CACHES, grown(1, bytes=GB, bytes_per_s=1e6), holder="app.CACHE"),
            suspect(Kind.SOCKETS, grown(2, growth=growth(2.0)), grown(1), resource="descriptors"),
        ]
    )
    assert exhaustion(leak, of) == Exhaustion("descriptors", 500.0)


def test_memory_is_that_of_the_cgroup_or_what_the_machine_has_left() -> None:
    leak = suspect(Kind.CACHES, grown(1, bytes=GB, bytes_per_s=float(GB)))
    assert found(ledger(available_bytes=10 * GB), leak).exhausts_in_s == 10
    both = ledger(available_bytes=10 * GB, limit_bytes=4 * GB, limit_used_bytes=GB)
    assert (found(both, leak).exhausts_in_s, found(both, leak).limit) == (3, "memory")
    assert found(ledger(), leak).exhausts_in_s is None


def test_workers_use_up_together_what_they_share_and_each_its_own_descriptors() -> None:
    samples = unmeasured(2)
    samples["time_ns"], samples["pid"], samples["fd_limit"], samples["fds"] = SECOND, (7, 8), 1024, 24
    samples["limit_bytes"], samples["limit_used_bytes"] = 4 * GB, 0
    workers = Ledger()
    workers.fold(Batch("procfs", 0, SECOND, samples=samples))

    def leak(kind: Kind, per_s: float, bytes_per_s: float | None, **values: Any) -> Any:
        piles = (grown(pid, pid=pid, growth=growth(per_s), bytes_per_s=bytes_per_s) for pid in (7, 8))
        (merged,) = merge([suspect(kind, one, holder="app.KEPT", **values) for one in piles])
        return merged

    assert exhaustion(leak(Kind.CACHES, 1.0, float(GB)), workers) == Exhaustion("memory", 2.0)
    handles = leak(Kind.HANDLES, 10.0, None, resource="descriptors")
    assert exhaustion(handles, workers) == Exhaustion("descriptors", 100.0)


def test_threads_have_a_limit_too() -> None:
    of = ledger(thread_limit=1000, thread_limit_used=400)
    one = found(of, suspect(Kind.THREADS, grown(1, growth=growth(6.0)), resource="threads"))
    assert (one.limit, one.exhausts_in_s) == ("threads", 100)
    assert one.severity == Severity.CRITICAL


@pytest.mark.parametrize(
    ("in_s", "word"),
    [(10, Severity.CRITICAL), (7200, Severity.WARNING), (30 * 86_400, Severity.INFO)],
)
def test_severity_is_how_soon(in_s: float, word: Severity) -> None:
    assert severity(Exhaustion("memory", in_s), None, Thresholds()) == word


def test_much_memory_is_a_warning_without_any_limit() -> None:
    assert severity(None, 200 << 20, Thresholds()) == Severity.WARNING
    assert severity(None, 1 << 20, Thresholds()) == Severity.INFO
    assert severity(None, None, Thresholds()) == Severity.INFO


def test_the_sure_before_suspects_the_soonest_first_then_the_dearest() -> None:
    of = ledger(fd_limit=1024, fds=24)
    soon = suspect(Kind.HANDLES, grown(1, growth=growth(10.0)), resource="descriptors", type="soon")
    late = suspect(Kind.HANDLES, grown(2, growth=growth(0.1)), resource="descriptors", type="late")
    dear = suspect(Kind.CACHES, grown(3, bytes=9, bytes_per_s=9.0), holder="app.DEAR", type="dear")
    cheap = suspect(Kind.CACHES, grown(4, bytes=1, bytes_per_s=1.0), holder="app.CHEAP", type="cheap")
    unsure = suspect(Kind.HANDLES, grown(5), resource="descriptors", type="unsure", confidence=0.2)
    mixed = [found(of, one) for one in (cheap, unsure, late, dear, soon)]
    assert [one.type for one in ranked(mixed, 0.5)] == ["soon", "late", "dear", "cheap", "unsure"]


def test_a_month_of_a_gigabyte_costs_what_it_costs() -> None:
    one = found(ledger(), suspect(Kind.CACHES, grown(1, bytes=1_000_000_000)))
    assert one.cost_usd_per_month == pytest.approx(72.0)
    assert found(ledger(), suspect(Kind.CACHES, grown(1))).cost_usd_per_month is None


def test_numbers_of_several_processes_are_added_and_said() -> None:
    workers = [suspect(Kind.CACHES, grown(1, pid=pid, bytes=100), holder="app.CACHE") for pid in range(7, 15)]
    one = found(ledger(), *workers)
    assert (one.count, one.added, one.bytes) == (4800, 4800, 800)
    assert one.count_per_s == pytest.approx(80.0)
    assert one.title.endswith("(in 8 processes)")
    assert "It is the same in processes 7, 8, 9, 10, 11 and 3 more." in one.evidence


def test_what_the_lead_does_not_know_another_may() -> None:
    of = ledger()
    cache = suspect(Kind.CACHES, grown(1, bytes=500), holder="app.CACHE", title="the cache grows")
    sockets = suspect(Kind.SOCKETS, grown(2), grown(1), site=SITE, title="sockets stay open")
    one = found(of, cache, sockets)
    assert (one.kind, one.holder, one.site, one.bytes) == (Kind.SOCKETS, "app.CACHE", SITE[1:], 500)
    assert "Comes of the same: the cache grows" in one.evidence


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_advice_that_names_what_is_known(cause: Cause) -> None:
    text = advice(cause, site=SITE[1], holder="app.POOL", type_name="app.Session")
    assert "serve (/srv/app.py:31)" in text
    assert "[" not in text
    fields = {name for name in ("line", "holder", "type") if f"{{{name}}}" in ADVICE[cause]}
    for name, value in (("holder", "app.POOL"), ("type", "app.Session")):
        assert (value in text) == (name in fields)
    unknown = advice(cause, site=None, holder="", type_name="")
    assert unknown[0].isupper()
    assert unknown.endswith(".")
    assert set("[]{}").isdisjoint(unknown)
    assert "makes them" not in unknown, "who looks for the line is not told that it is where it is"


def test_who_makes_what_piles_up_is_seen_where_memory_grows() -> None:
    of = ledger()
    maker = (Frame("Session.__init__", "/srv/shop/web.py", 4), Frame("serve", "/srv/app.py", 31))
    growing = np.zeros(2, rows.GROWTH)
    growing["pid"], growing["how"], growing["stack_id"] = 7, GrowthHow.BRK, (1, 2)
    growing["grown_bytes"] = 5000, 9000
    stacks = {1: Stack((Frame("fill", "/srv/shop/web.py", 9), *maker), True), 2: Stack(maker[1:], True)}
    of.fold(Batch("kernel", SECOND, 2 * SECOND, growth=growing, stacks=stacks))
    sessions = suspect(Kind.CACHES, grown(1), type="shop.web.Session", holder="app.CACHE")
    assert found(of, sessions).site == maker
    others = suspect(Kind.CACHES, grown(1), type="shop.mail.Session", holder="app.CACHE")
    assert found(of, others).site == ()
