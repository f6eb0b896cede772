"""Collections, listeners, tasks, timers and cycles: what kind of leak a growing number is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from detectors.made_up import growth
from memprobe.detectors.caches import LRU_CACHE, Caches
from memprobe.detectors.cycles import NOTHING, Cycles
from memprobe.detectors.evidence import Detector, Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.listeners import Listeners
from memprobe.detectors.tasks import Tasks
from memprobe.detectors.timers import Timers
from memprobe.ledger import Ledger
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import KEYS_RISE, SAME_AGAIN, Elements, Subject, What

NS = 1_000_000_000
OFF = "the collector is off"


def pile(number: int, what: What = What.CONTAINER, *, per_s: float = 10.0, **subject: Any) -> Grown:
    """One subject that grows, by 600 in a minute unless told."""
    given: dict[str, Any] = {
        "type": "app.Session",
        "holder": f"app.PILE_{number}",
        "elements": Elements.DATA,
    } | subject
    added = int(60 * per_s)
    return Grown(7, number, Subject(what, **given), added, added, None, None, None, growth(per_s))


def said(detector: Detector, *piles: Grown) -> list[Suspect]:
    evidence = Evidence(Ledger(), 7, 0, 60 * NS, tuple(piles), None)
    return list(detector.suspects(evidence))


def only(suspects: Sequence[Suspect]) -> Suspect:
    (suspect,) = suspects
    return suspect


def test_a_dict_of_data_is_a_cache() -> None:
    found = only(said(Caches(), pile(1, container="dict")))
    assert (found.kind, found.holder, found.type) == (Kind.CACHES, "app.PILE_1", "app.Session")
    assert found.fix is Cause.CACHE_WITHOUT_LIMIT
    assert found.confidence > 0.5
    assert "600 entries of app.Session" in found.title


@pytest.mark.parametrize(
    ("subject", "cause"),
    [
        ({"container": LRU_CACHE}, Cause.LRU_WITHOUT_LIMIT),
        ({"container": LRU_CACHE, "notes": ("it is the cache of a method",)}, Cause.LRU_ON_METHOD),
        ({"container": LRU_CACHE, "elements": Elements.CALLABLES}, Cause.LRU_WITHOUT_LIMIT),
        ({"container": "set"}, Cause.REGISTRY),
        ({"container": "list", "type": "str"}, Cause.CACHE_WITHOUT_LIMIT),
        ({"container": "collections.deque", "holder": "app.JOBS.queue"}, Cause.QUEUE_WITHOUT_LIMIT),
    ],
)
def test_the_cause_follows_from_the_collection(subject: dict[str, Any], cause: Cause) -> None:
    assert only(said(Caches(), pile(1, **subject))).fix is cause


def test_what_has_a_limit_is_hardly_suspect() -> None:
    free, limited = (only(said(Caches(), pile(1, limit=limit))) for limit in (None, 100_000))
    assert limited.confidence < 0.5 < free.confidence


def test_keys_that_never_come_again_speak_against_a_warm_up() -> None:
    plain, endless, limited = (
        only(said(Caches(), pile(1, **subject)))
        for subject in ({}, {"notes": (KEYS_RISE,)}, {"notes": (KEYS_RISE,), "limit": 100_000})
    )
    assert limited.confidence < plain.confidence < endless.confidence
    assert KEYS_RISE in endless.evidence
    cache = only(said(Caches(), pile(1, container=LRU_CACHE, notes=(KEYS_RISE,))))
    assert cache.fix is Cause.LRU_WITHOUT_LIMIT


def test_how_long_the_first_entry_has_been_there() -> None:
    known = replace(pile(1), oldest_s=41.7)
    assert "Its first entry has been there for at least 42 s." in only(said(Caches(), known)).evidence
    assert not any("first entry" in one for one in only(said(Caches(), pile(1))).evidence)


def test_what_an_lru_cache_holds_is_told_as_a_collection() -> None:
    assert said(Caches(), pile(1, What.HOLDER, container="functools._lru_cache_wrapper")) == []
    assert said(Caches(), pile(1, What.HOLDER, container="app.Pool"))


def test_few_new_entries_are_no_cache() -> None:
    few = replace(pile(1), added=20)
    assert said(Caches(), few) == []


def test_few_new_entries_are_a_cache_if_they_are_large() -> None:
    unsure = growth(1.0, probability=0.35)
    bodies = replace(pile(1, per_s=0.8), growth=unsure, added=50, count=60)
    assert said(Caches(), bodies) == []
    assert only(said(Caches(), replace(bodies, bytes_per_s=250e3))).confidence > 0.5
    # More than a pool has: they must be certain by their number.
    many = replace(bodies, bytes_per_s=250e3, added=400, count=410)
    assert only(said(Caches(), many)).confidence < 0.1


def test_files_in_a_dict_are_a_cache_if_they_are_closed() -> None:
    kept = pile(1, elements=Elements.HANDLES, type="_io.TextIOWrapper")
    assert only(said(Caches(), kept)).kind is Kind.CACHES
    descriptors = pile(2, What.HANDLES, type="file", holder="")
    assert said(Caches(), kept, descriptors) == []


def test_weak_references_hold_nothing() -> None:
    weak = pile(1, type="weakref.ReferenceType", container="set")
    assert [one.holder for one in said(Caches(), weak, pile(2))] == ["app.PILE_2"]


def test_what_was_saved_by_the_collector_is_of_cycles() -> None:
    saved = pile(1, holder="gc.garbage", container="list")
    assert said(Caches(), saved) == []
    found = only(said(Cycles(), saved))
    assert (found.kind, found.fix) == (Kind.CYCLES, Cause.UNCOLLECTABLE)


def test_a_registry_of_pythons_own_is_not_the_cause_of_what_grows_in_the_program() -> None:
    own = pile(1, holder="threading._active", elements=Elements.CALLABLES)
    assert only(said(Listeners(), own)).holder == "threading._active"
    assert said(Listeners(), own, pile(2, What.TASKS, holder="")) == []
    assert len(said(Listeners(), own, pile(2, What.TASKS, holder="", per_s=1.0))) == 1


def test_callables_are_listeners_whatever_holds_them() -> None:
    handlers = pile(1, holder="app.STUFF[…]", elements=Elements.CALLABLES, type="method")
    assert said(Caches(), handlers) == []
    found = only(said(Listeners(), handlers))
    assert (found.kind, found.fix) == (Kind.LISTENERS, Cause.LISTENERS_NOT_REMOVED)
    again = pile(1, elements=Elements.CALLABLES, type="function", notes=(SAME_AGAIN,))
    found = only(said(Listeners(), again))
    assert (found.fix, found.evidence[0]) == (Cause.LISTENERS_AGAIN, SAME_AGAIN)
    at_exit = replace(handlers, subject=replace(handlers.subject, holder="<atexit>"))
    assert only(said(Listeners(), at_exit)).fix is Cause.EXIT_HANDLERS


def test_fewer_callbacks_than_entries_of_data_are_worth_a_word() -> None:
    def sure(elements: Elements, detector: Detector, count: int) -> float:
        few = replace(pile(1, elements=elements), growth=growth(probability=0.45), count=count, added=70)
        return only(said(detector, few)).confidence

    assert sure(Elements.CALLABLES, Listeners(), 180) > 0.5
    assert sure(Elements.CALLABLES, Listeners(), 60) < 0.15
    assert sure(Elements.DATA, Caches(), 180) < 0.15


def test_weak_references_to_callbacks_speak_for_what_holds_them() -> None:
    handlers = pile(1, holder="logging.Logger.handlers", elements=Elements.CALLABLES, type="app.Handler")
    unsure = replace(handlers, growth=replace(handlers.growth, probability=0.0, per_s=0.0))
    weak = pile(2, holder="logging._handlers", elements=Elements.CALLABLES, type="weakref.ReferenceType")
    assert said(Listeners(), unsure) == []
    found = only(said(Listeners(), unsure, weak))
    assert (found.holder, found.grown) == ("logging.Logger.handlers", (unsure, weak))
    assert found.confidence > 0.5
    assert only(said(Listeners(), weak)).holder == "logging._handlers"


def test_tasks_and_who_keeps_them_are_one_suspect() -> None:
    tasks = pile(1, What.TASKS, type="app.worker", holder="", elements=Elements.UNKNOWN)
    kept = pile(2, elements=Elements.TASKS, type="_asyncio.Task")
    found = only(said(Tasks(), tasks, kept))
    assert (found.type, found.holder, found.fix) == ("app.worker", "app.PILE_2", Cause.TASKS_PENDING)
    assert found.grown == (tasks, kept)


def test_a_waiting_task_is_told_by_the_line_of_the_program() -> None:
    library = Frame("Event.wait", "/usr/lib/python3.11/asyncio/locks.py", 213)
    waits = (library, Frame("handle", "/srv/app.py", 12))
    found = only(said(Tasks(), pile(1, What.TASKS, type="handle", holder="", site=waits)))
    assert found.title.startswith("600 tasks of handle do not end, 10 more every second")
    assert found.title.endswith(": waiting in handle (app.py:12, through Event.wait)")


def test_few_looks_at_tasks_are_enough_if_what_keeps_them_is_sure() -> None:
    tasks = pile(1, What.TASKS, type="app.worker", holder="")
    unsure = replace(tasks, growth=replace(tasks.growth, probability=0.0, per_s=0.0))
    assert said(Tasks(), unsure) == []
    kept = pile(2, elements=Elements.TASKS, type="_asyncio.Future", holder="app.EVENT._waiters")
    found = only(said(Tasks(), unsure, kept))
    assert (found.type, found.holder) == ("app.worker", "app.EVENT._waiters")
    assert found.confidence > 0.5


def test_few_timers_are_not_too_few_if_the_heap_of_the_loop_is_sure() -> None:
    timers = pile(1, What.TIMERS, per_s=3.0, holder="loop._scheduled")
    timers = replace(timers, growth=growth(3.0, probability=0.2), count=180)
    alone = only(said(Timers(), timers)).confidence
    heap = pile(2, per_s=3.0, elements=Elements.TIMERS, holder="loop._scheduled")
    assert alone < 0.3
    assert only(said(Timers(), timers, replace(heap, growth=growth(3.0, probability=0.6)))).confidence > 0.6


def test_ended_tasks_are_told_from_waiting_ones() -> None:
    ended = pile(1, What.ENDED_TASKS, type="_asyncio.Task", holder="app.KEPT")
    kept = pile(2, elements=Elements.TASKS, type="_asyncio.Task")
    found = only(said(Tasks(), ended, kept))
    assert (found.holder, found.fix) == ("app.PILE_2", Cause.TASKS_KEPT)
    assert only(said(Tasks(), ended)).holder == "app.KEPT"


def test_timers_are_named_after_who_keeps_them_rather_than_the_loop() -> None:
    timers = pile(1, What.TIMERS, type="app.expire", holder="loop._scheduled")
    scheduled = pile(2, elements=Elements.TIMERS, holder="asyncio.Loop._scheduled")
    handlers = pile(3, elements=Elements.TIMERS, holder="app.Cache._handlers")
    assert only(said(Timers(), timers, scheduled, handlers)).holder == "app.Cache._handlers"
    assert only(said(Timers(), timers, scheduled)).holder == "asyncio.Loop._scheduled"
    assert only(said(Timers(), scheduled)).kind is Kind.TIMERS


def test_timers_that_were_cancelled_are_dropped_by_their_loop() -> None:
    scheduled = pile(2, elements=Elements.TIMERS, holder="asyncio.Loop._scheduled")
    some = [pile(number, What.TIMERS, type=f"app.job_{number}", per_s=2.0) for number in (3, 4, 5)]
    assert said(Timers(), scheduled, replace(some[0], count=2, added=0, growth=growth(0.0, 0.0))) == []
    assert said(Timers(), scheduled, some[0])[-1].grown == (some[0],)
    once = replace(some[0], added=0, growth=replace(growth(0.0, 0.0), points=1))
    assert only(said(Timers(), scheduled, once)).grown == (scheduled,)
    assert said(Timers(), scheduled, *some)[-1].grown == (scheduled,)


def test_the_garbage_of_a_process_is_one_suspect() -> None:
    lists = pile(1, What.GARBAGE, type="list", per_s=50.0, holder="", notes=(OFF,))
    requests = pile(2, What.GARBAGE, type="app.Request", holder="", notes=(OFF,))
    found = only(said(Cycles(), lists, requests))
    assert (found.type, found.holder, found.fix) == ("app.Request", NOTHING, Cause.COLLECTOR_OFF)
    assert found.grown == (requests, lists)


def test_garbage_is_less_sure_while_the_collector_may_come() -> None:
    def sure(notes: tuple[str, ...], duration_s: float = 60.0, what: What = What.GARBAGE) -> float:
        grown = pile(1, what, type="app.Request", holder="", notes=notes)
        short = replace(grown, growth=replace(grown.growth, duration_s=duration_s, probability=0.6))
        return only(said(Cycles(), short)).confidence

    assert sure(()) < 0.5 < sure((OFF,))
    assert sure((OFF,), duration_s=19.0) < 0.5
    assert sure((), what=What.UNCOLLECTABLE) > sure((OFF,))


def test_garbage_is_as_sure_as_the_memory_that_it_takes() -> None:
    """Looks are rare, memory is read every second."""
    memory = [
        pile(2, What.MEMORY, type="anonymous", per_s=1e6),
        pile(3, What.MEMORY, type="objects", per_s=9e5),
    ]

    def sure(bytes_per_s: float, *notes: str) -> float:
        garbage = replace(pile(1, What.GARBAGE, notes=notes), bytes_per_s=bytes_per_s)
        return only(said(Cycles(), replace(garbage, growth=growth(10.0, 0.2)), *memory)).confidence

    assert sure(1e5, OFF) < 0.5 < sure(5e5, OFF)
    assert sure(5e5) < 0.5


def test_garbage_that_only_grew_for_long_with_the_collector_off_needs_less_evidence() -> None:
    def sure(points: int, duration_s: float) -> float:
        course = replace(growth(probability=0.35), points=points, duration_s=duration_s)
        return only(said(Cycles(), replace(pile(1, What.GARBAGE, notes=(OFF,)), growth=course))).confidence

    assert sure(points=4, duration_s=30.0) > 0.5
    # Three readings of a saw rise one time in six; and who collects by hand is given time to.
    assert sure(points=3, duration_s=30.0) == pytest.approx(0.35)
    assert sure(points=8, duration_s=18.0) < 0.35


def test_exceptions_that_are_kept() -> None:
    errors = pile(1, elements=Elements.EXCEPTIONS, type="ValueError", container="list")
    assert said(Caches(), errors) == []
    assert only(said(Cycles(), errors)).fix is Cause.TRACEBACKS_KEPT
    chain = pile(2, What.HOLDER, elements=Elements.EXCEPTIONS, type="traceback", holder="app.error")
    assert only(said(Cycles(), chain)).holder == "app.error"


def test_a_chain_of_tracebacks_whose_end_was_not_seen_has_no_holder() -> None:
    chain = pile(1, What.HOLDER, type="traceback", holder="<native code>", elements=Elements.EXCEPTIONS)
    found = only(said(Cycles(), chain))
    assert (found.kind, found.holder, found.type) == (Kind.CYCLES, "", "traceback")
    assert found.title.startswith("Something keeps 600 traceback")


@pytest.mark.parametrize("detector", [Caches(), Cycles(), Listeners(), Tasks(), Timers()])
def test_what_does_not_grow_is_not_suspect(detector: Detector) -> None:
    flat = [
        replace(pile(number, what, elements=elements), added=0, growth=growth(0.0, 0.0))
        for number, (what, elements) in enumerate((what, one) for what in What for one in Elements)
    ]
    assert said(detector, *flat) == []


def of_memory(number: int, kind: str, per_s: float, probability: float) -> Grown:
    subject = Subject(What.MEMORY, kind)
    added = int(60 * per_s)
    return Grown(7, number, subject, added, added, added, per_s, None, growth(per_s, probability))


@pytest.mark.parametrize(("probability", "found"), [(0.7, True), (0.4, False)])
def test_few_but_heavy_ones_are_as_sure_as_the_memory_that_they_take(probability: float, found: bool) -> None:
    """One in five seconds, of 2 MB: to be sure of 12 entries would take hours."""
    rows = replace(
        pile(1, per_s=0.2, container="list"),
        growth=growth(0.2, probability=0.005),
        bytes=24 << 20,
        bytes_per_s=0.4 * (1 << 20),
    )
    memory = [
        of_memory(number, kind, 450_000, probability) for number, kind in ((2, "anonymous"), (3, "objects"))
    ]
    sure = [one.holder for one in said(Caches(), rows, *memory) if one.confidence >= 0.5]
    assert sure == (["app.PILE_1"] if found else [])
