"""Threads that pile up, and what is left of those that have ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.stories import FILE, MIB, OBJECTS, STACKS, Story
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import Elements, Subject, What

WATCHED_S = 26
STARTING = 9
STACKS[STARTING] = Stack(
    (
        Frame("Thread.start", "/usr/lib/python3.11/threading.py", 964),
        Frame("Api.call", "/srv/shop/api.py", 33),
    ),
    True,
)
WAITING = (Frame("wait", "/usr/lib/python3.11/threading.py", 320), Frame("Api.work", "/srv/shop/api.py", 50))
WORKERS = Subject(What.THREADS, "shop.api.Api.work", site=WAITING)
SERVING = Subject(What.THREADS, "shop.server.Server.process", site=WAITING[:1])
ACTIVE = Subject(What.CONTAINER, "threading.Thread", "threading._active", elements=Elements.THREADS)
LOCKS = Subject(What.CONTAINER, "_thread.lock", "threading._shutdown_locks", elements=Elements.THREADS)


def run(
    per_s: int, heap: dict[Subject, int], *, until_s: int = WATCHED_S, story: Story | None = None
) -> Story:
    """Threads are started so fast; so many more of each subject are counted every second."""
    story = story or Story()
    story.numbers |= {"thread_limit": 4096, "thread_limit_used": 100}
    story.attach()
    for second in range(WATCHED_S):
        story.numbers["threads"] = 1 + per_s * min(second, until_s)
        story.heap = {one: (more * second, 500 * more * second) for one, more in heap.items()}
        story.grown_at = {STARTING: 20_000 * per_s, FILE: 500_000} if second < until_s else {}
        story.tell()
    return story


def test_threads_are_told_by_the_line_that_starts_them_and_by_what_they_run() -> None:
    (found,) = run(8, {WORKERS: 8}).sure()
    assert (found.kind, found.type, found.limit) == (Kind.THREADS, "shop.api.Api.work", "threads")
    assert [frame.function for frame in found.site] == ["Api.call"]
    assert "api.py:33" in found.title
    assert any("waiting in wait" in sentence for sentence in found.evidence)


def test_threads_that_python_does_not_know_are_counted_all_the_same() -> None:
    (found,) = run(8, {}).sure()
    assert (found.type, found.count) == ("thread", 1 + 8 * (WATCHED_S - 1))


def test_those_that_run_are_why_their_registries_grow() -> None:
    (found,) = run(8, {ACTIVE: 8}).sure()
    assert (found.kind, found.holder) == (Kind.THREADS, "threading._active")
    workers = replace(ACTIVE, holder="shop.WORKERS")
    (found,) = run(8, {ACTIVE: 8, workers: 8}).sure()
    assert (found.kind, found.holder) == (Kind.THREADS, "shop.WORKERS")


def test_what_ended_threads_leave_is_a_leak_though_none_runs() -> None:
    (found,) = run(0, {LOCKS: 40}, story=Story(look_every_s=1)).sure()
    assert (found.kind, found.holder, found.type) == (
        Kind.THREADS,
        "threading._shutdown_locks",
        "_thread.lock",
    )
    assert "join()" in found.suggested_fix


def test_workers_of_an_executor_are_told_to_be_shut_down() -> None:
    workers = Subject(What.THREADS, "concurrent.futures.thread._worker", site=WAITING)
    (found,) = run(8, {workers: 8}).sure()
    assert "shutdown()" in found.suggested_fix


def test_a_pool_that_has_all_its_workers_is_no_leak() -> None:
    assert run(2, {WORKERS: 2}, until_s=12).sure() == []


def test_a_pool_on_the_way_to_its_limit_is_no_finding() -> None:
    limited = Subject(What.THREADS, "shop.api.Api.work", site=WAITING, limit=400)
    assert run(8, {limited: 8}).sure() == []


@pytest.mark.parametrize("per_s", [0, 8])
def test_what_threads_take_is_no_leak_of_c_code(per_s: int) -> None:
    """Stacks and heaps of threads grow along; without threads the same growth has no owner."""
    story = Story()
    story.attach()
    for second in range(WATCHED_S):
        story.numbers |= {"threads": 1 + per_s * second, "rss_bytes": 50 * MIB + second * MIB}
        story.numbers |= {"rss_anonymous_bytes": 40 * MIB + second * MIB}
        story.heap = {OBJECTS: (20 * MIB, 20 * MIB)}
        story.grown_at = {STARTING: MIB}
        story.tell()
    assert [one.kind for one in story.sure()] == [Kind.THREADS if per_s else Kind.NATIVE]


@pytest.mark.parametrize("look_every_s", [4, WATCHED_S + 1], ids=["looks", "one look"])
def test_the_line_is_that_of_those_that_stay_not_of_those_that_are_started_most(look_every_s: int) -> None:
    frames = (
        Frame("Thread.start", "/usr/lib/python3.11/threading.py", 964),
        Frame("Server.process", "/srv/shop/server.py", 9),
    )
    STACKS[STARTING + 1] = Stack(frames, True)
    story = Story(look_every_s=look_every_s)
    story.numbers |= {"thread_limit": 4096, "thread_limit_used": 100}
    story.attach()
    for second in range(WATCHED_S):
        story.numbers["threads"] = 41 + 8 * second
        story.heap = {WORKERS: (40 + 8 * second, 4000 * second), SERVING: (3, 400)}
        story.grown_at = {STARTING + 1: 900_000, STARTING: 160_000}
        story.tell()
    (found,) = story.sure()
    assert [frame.function for frame in found.site] == ["Api.call"]
