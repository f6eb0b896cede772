"""What a survey says may pile up: by the path that holds it, with what is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memprobe.heap.reaching import reached
from memprobe.heap.subjects import collections as subjects
from memprobe.heap.subjects import places
from memprobe.heap.subjects.collections import LRU_CACHE, ON_METHOD
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.surveyor import Surveyor
from memprobe.heap.subjects.waste import NOT_SEEN, OFF
from memprobe.vocab.subject import DEAD_WEIGHT, SAME_AGAIN, Elements, Seen, What
from pythons import Interpreter

pytestmark = pytest.mark.few_interpreters

Found = dict[tuple[What, str], Counted]


@contextmanager
def surveying(pid: int) -> Iterator[Surveyor]:
    with reached(pid) as target:
        assert target.python is not None
        yield Surveyor(target.process, target.python)


def survey(surveyor: Surveyor) -> list[Counted]:
    return list(surveyor.survey())


def collections(found: list[Counted]) -> dict[str, Counted]:
    return {one.subject.holder: one for one in found if one.subject.what is What.CONTAINER}


def by_type(found: list[Counted], what: What) -> dict[str, Counted]:
    return {one.subject.type: one for one in found if one.subject.what is what}


@pytest.fixture
def piles(interpreter: Interpreter, targets: Path) -> Iterator[tuple[dict[str, Counted], dict[str, Counted]]]:
    """The collections of two surveys; between them each has got 70 more entries."""
    with interpreter.spawn(targets / "piles.py") as target, surveying(target.pid) as surveyor:
        target.expect("done")
        first = collections(survey(surveyor))
        target.send("70")
        target.expect("done")
        with surveying(target.pid) as other:
            again = Surveyor(other._process, other._python, surveyor.remembered)
            yield first, collections(survey(again))


def test_collections(piles: tuple[dict[str, Counted], dict[str, Counted]]) -> None:
    first, second = piles
    # Of each session one list: too small to be told of, until it has grown.
    assert "__main__.SESSIONS[…].events" not in first
    events = second["__main__.SESSIONS[…].events"]
    assert (events.count, events.seen, events.watched) == (200 * 370, Seen.EXACTLY, ())
    assert events.subject.chain == ("__main__.SESSIONS",)
    numbers = second["__main__.NUMBERS"]
    assert (numbers.count, numbers.subject.type, numbers.subject.container) == (370, "list", "list")
    assert numbers.watched
    assert first["__main__.NUMBERS"].key == numbers.key


def test_what_they_are_filled_with(piles: tuple[dict[str, Counted], dict[str, Counted]]) -> None:
    elements = {holder: one.subject.elements for holder, one in piles[1].items()}
    assert elements["__main__.BUS._handlers[…]"] is Elements.CALLABLES
    assert elements["__main__.ERRORS"] is Elements.EXCEPTIONS
    assert elements["__main__.LOCKS"] is Elements.THREADS
    assert elements["__main__.SESSIONS"] is Elements.DATA
    assert piles[1]["__main__.SESSIONS"].subject.type == "__main__.Session"


def test_limits(piles: tuple[dict[str, Counted], dict[str, Counted]]) -> None:
    found = {holder: one.subject for holder, one in piles[1].items()}
    assert found["__main__.CACHE.items"].limit == 5000
    assert found["__main__.JOBS.queue"].limit == 700
    assert found["__main__.NUMBERS"].limit is None
    priced = found["__main__.Session.priced"]
    assert (priced.container, priced.limit, priced.notes) == (LRU_CACHE, None, (ON_METHOD,))


def test_the_same_things(piles: tuple[dict[str, Counted], dict[str, Counted]]) -> None:
    chains = {holder: one.subject.chain for holder, one in piles[1].items()}
    (keeper,) = {"__main__.BY_NAME", "__main__.SESSIONS"} & {chains["__main__.WEAK.data"][0]}
    other = "__main__.SESSIONS" if keeper == "__main__.BY_NAME" else "__main__.BY_NAME"
    assert chains[keeper] == ()
    assert chains[other] == (keeper,)


def test_what_an_lru_cache_remembers_is_one_thing(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "remembered.py") as target, surveying(target.pid) as surveyor:
        target.expect("done")
        survey(surveyor)
        target.send("300")
        target.expect("done")
        found = collections(survey(surveyor))
    cache = found["__main__.pages"]
    assert (cache.count, cache.subject.container, cache.subject.limit) == (600, LRU_CACHE, 20000)
    assert cache.watched is not None
    # There are more results, each as large as ever: not one of them is worth a word.
    assert [holder for holder in found if holder.startswith("__main__.pages.")] == []


def test_what_nothing_holds(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "wasted.py") as target, surveying(target.pid) as surveyor:
        target.send("20")
        target.expect("done")
        survey(surveyor)
        target.send("200")
        target.expect("done")
        found = survey(surveyor)
    garbage = by_type(found, What.GARBAGE)["__main__.Ring"]
    assert garbage.count == 220
    assert OFF in garbage.subject.notes
    assert by_type(found, What.UNHELD)["__main__.Lost"].count == 220
    (chain,) = [one for one in found if one.subject.what is What.HOLDER and one.subject.type.endswith("Node")]
    assert (chain.subject.holder, chain.count) == ("__main__.Chain.last", 221)


def test_names_that_the_interpreter_keeps_are_not_lost(interpreter: Interpreter, targets: Path) -> None:
    """Its cache of attributes has more than a thousand of them here, each made anew."""
    with interpreter.spawn(targets / "asking_names.py") as target, surveying(target.pid) as surveyor:
        lost = by_type(survey(surveyor), What.UNHELD)
    assert sum(one.count or 0 for name, one in lost.items() if name == "str") < 300


def test_cycles_out_of_sight(interpreter: Interpreter, targets: Path) -> None:
    """Frozen garbage is nobody's, and no collector comes to it."""
    with interpreter.spawn(targets / "watched.py") as target, surveying(target.pid) as surveyor:
        target.ask("import gc; gc.disable()")
        target.ask("for _ in range(30): ring = Holder(); ring.ring = ring")
        target.ask("del ring; gc.freeze()")
        found = by_type(survey(surveyor), What.UNCOLLECTABLE)["__main__.Holder"]
    assert (found.count, found.subject.notes) == (30, (NOT_SEEN,))


def test_what_is_under_way(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "under_way.py") as target, surveying(target.pid) as surveyor:
        found = survey(surveyor)
    tasks = by_type(found, What.TASKS)["stuck"]
    assert tasks.count == 30
    assert tasks.subject.site[-1].function == "stuck"
    (ended,) = by_type(found, What.ENDED_TASKS).values()
    assert (ended.count, ended.subject.holder) == (40, "__main__.KEPT")
    timers = by_type(found, What.TIMERS)["__main__.wanted"]
    assert timers.count == 50
    assert timers.subject.holder.endswith("_scheduled")
    assert by_type(found, What.QUEUE)["__main__.waiting"].count == 7
    threads = {one.subject.notes: one for one in found if one.subject.what is What.THREADS}
    pool = threads[("named 'pool_#'",)]
    assert (pool.count, pool.subject.limit) == (2, 2)
    waiting = next(one for one in threads.values() if one.subject.type == "waiting")
    assert (waiting.count, waiting.subject.limit) == (5, None)


def test_what_has_one_name_is_one_subject(interpreter: Interpreter, targets: Path) -> None:
    """Two numbers under one key would go up and down by turns: no course of a leak."""
    with interpreter.spawn(targets / "same_names.py") as target, surveying(target.pid) as surveyor:
        found = survey(surveyor)
    assert len({one.key for one in found}) == len(found)
    assert by_type(found, What.TIMERS)["__main__.wanted"].count == 50 + 30
    (again,) = (one for name, one in by_type(found, What.GARBAGE).items() if name.endswith("Again"))
    assert again.count == 2 * 20


def test_where_there_is_room_for_few_the_largest_are_told_again(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interpreter.spawn(targets / "piles.py") as target, surveying(target.pid) as surveyor:
        target.expect("done")
        first = sorted(one.count or 0 for one in collections(survey(surveyor)).values())
        for name, number in (("MOST", 3), ("GROWN", 0), ("LARGEST", 0)):
            monkeypatch.setattr(subjects, name, number)
        again = collections(survey(surveyor))
    counts = [one.count or 0 for holder, one in again.items() if holder != "<atexit>"]
    assert 0 < len(counts) <= 3
    # About the largest: by what they refer to, an entry of a dict weighs twice.
    assert 2 * min(counts) >= first[len(first) // 2]


def test_what_sort_of_callbacks_a_registry_has(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "registered.py") as target, surveying(target.pid) as surveyor:
        found = collections(survey(surveyor))
    notes = {name: found[f"__main__.{name}"].subject.notes for name in ("AGAIN", "OF_ONE", "OF_LOST")}
    assert notes == {"AGAIN": (SAME_AGAIN,), "OF_ONE": (SAME_AGAIN,), "OF_LOST": (DEAD_WEIGHT,)}
    for name in ("OF_NEEDED", "LAMBDAS", "WIDGETS"):
        assert found[f"__main__.{name}"].subject.notes == ()


def test_what_runs_at_exit(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "watched.py") as target, surveying(target.pid) as surveyor:
        before = collections(survey(surveyor)).get("<atexit>")
        target.ask("import atexit; [atexit.register(HOLDER.__init__) for _ in range(40)]")
        after = collections(survey(surveyor))["<atexit>"]
    assert (after.count or 0) - (before.count or 0 if before else 0) == 40
    assert after.subject.elements is Elements.CALLABLES


def test_sums(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "watched.py") as target, surveying(target.pid) as surveyor:
        before = {one.key: one for one in survey(surveyor)}
        target.ask("kept = bytes(10 << 20)")
        after = {one.key: one for one in survey(surveyor)}
        assert surveyor.evidence.objects > 1000
    grown = (after["memory:objects"].count or 0) - (before["memory:objects"].count or 0)
    assert 10 << 20 <= grown <= 11 << 20


def test_types_that_were_told_are_told_again(interpreter: Interpreter, targets: Path) -> None:
    """Else there would seem to be none of them any more."""
    with interpreter.spawn(targets / "watched.py") as target, surveying(target.pid) as surveyor:
        before = by_type(survey(surveyor), What.TYPE)
        assert before.keys() <= by_type(survey(surveyor), What.TYPE).keys()


def test_of_many_small_collections_some_speak_for_all_and_the_large_ones_stay(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_LIGHT", 100)
    with interpreter.spawn(targets / "piles.py") as target, surveying(target.pid) as surveyor:
        target.expect("done")
        found = collections(survey(surveyor))
        target.send("70")
        target.expect("done")
        with surveying(target.pid) as other:
            later = collections(survey(Surveyor(other._process, other._python, surveyor.remembered)))
    assert found["__main__.NUMBERS"].count == 300
    assert found["__main__.SESSIONS"].count == 200
    assert found["__main__.CACHE.items"].count == 300
    events = later["__main__.SESSIONS[…].events"]
    assert (events.count, events.seen) == (200 * 370, Seen.EXACTLY)
