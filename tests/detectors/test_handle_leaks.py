"""Files and sockets: what is opened and stays, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.stories import ACCEPTED, C_THREAD, FILE, OBJECTS, OTHER_LINE, Story
from memprobe.vocab.finding import Kind
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.subject import Elements, Subject, What

WATCHED_S = 26
HELD = Subject(What.CONTAINER, "io.FileIO", "shop.store.OPEN", container="dict", elements=Elements.HANDLES)


def leaking(stack: int, story: Story, per_s: int = 10, seconds: int = WATCHED_S) -> Story:
    story.attach()
    for _ in range(seconds):
        story.open(stack, per_s)
        story.tell()
    return story


def test_files_that_stay_open_are_told_by_the_line_that_opens_them() -> None:
    (found,) = leaking(FILE, Story()).sure()
    assert (found.kind, found.type, found.count) == (Kind.HANDLES, "file", 10 * WATCHED_S)
    assert [frame.function for frame in found.site] == ["Store.load", "main"]
    assert found.count_per_s == pytest.approx(10, rel=0.05)
    assert "store.py:12" in found.title
    assert "store.py:12" in found.suggested_fix
    assert found.limit == "descriptors"
    assert found.count is not None
    assert found.exhausts_in_s == pytest.approx((4096 - found.count) / 10, rel=0.1)
    assert found.age_s is not None
    assert found.age_s.max == pytest.approx(WATCHED_S, abs=1.5)
    assert found.age_s.p50 == pytest.approx(WATCHED_S / 2, abs=1.5)


def test_files_that_are_opened_and_closed_are_none() -> None:
    story = Story()
    story.attach()
    for _ in range(WATCHED_S):
        story.close(*story.open(FILE, 50))
        story.open(OTHER_LINE) if story.second < 5 else None
        story.tell()
    assert story.findings() == []


def test_what_comes_in_the_place_of_something_older_is_no_leak() -> None:
    story = Story()
    before = story.open(FILE, 20 * WATCHED_S)
    story.attach()
    for _ in range(WATCHED_S):
        story.close(*(before.pop() for _ in range(20)))
        story.open(FILE, 20)
        story.tell()
    assert story.findings() == []


def test_a_file_for_each_of_a_few_tenants_is_no_leak() -> None:
    story = Story()
    story.attach()
    for second in range(WATCHED_S):
        story.open(FILE) if second < 25 else None
        story.tell()
    assert story.sure() == []


def test_what_c_code_opens_by_itself_has_no_line() -> None:
    (found,) = leaking(C_THREAD, Story()).sure()
    assert found.title.endswith("opened by code that is not Python")


def test_two_lines_are_two_leaks() -> None:
    story = Story()
    story.attach()
    for _ in range(WATCHED_S):
        story.open(FILE, 10)
        story.open(OTHER_LINE, 25)
        story.tell()
    assert sorted(one.site[0].function for one in story.sure()) == ["Other.run", "Store.load"]


def test_where_births_are_not_seen_the_kind_is_told_and_what_is_not_known() -> None:
    (found,) = leaking(FILE, Story(polled=True)).sure()
    assert (found.kind, found.type, found.site) == (Kind.HANDLES, "file", ())
    assert found.count == 10 * WATCHED_S
    assert "is not known" in found.limits[0]


def test_the_collection_that_keeps_them_is_the_holder() -> None:
    story = Story()
    story.attach()
    for second in range(WATCHED_S):
        story.open(FILE, 10)
        story.heap = {HELD: (10 * second, 1000 * second)}
        story.tell()
    found = next(one for one in story.sure() if one.kind is Kind.HANDLES)
    assert found.holder == "shop.store.OPEN"
    assert found.site[0].function == "Store.load"
    assert "shop.store.OPEN" in found.suggested_fix


def test_what_keeps_pace_with_them_but_has_other_things_is_not_the_holder() -> None:
    logs = replace(HELD, holder="shop.LOGS")
    peers = replace(HELD, holder="shop.PEERS", elements=Elements.SOCKETS)
    story = Story(states={ACCEPTED: SocketState.ESTABLISHED})
    story.attach()
    for second in range(WATCHED_S):
        story.open(FILE, 10)
        story.open(ACCEPTED, 11)
        story.heap = {logs: (10 * second, 1000 * second), peers: (11 * second, 1000 * second)}
        story.tell()
    holders = {one.kind: one.holder for one in story.sure()}
    assert holders == {Kind.HANDLES: "shop.LOGS", Kind.SOCKETS: "shop.PEERS"}


def looked_at(opened: Subject | None) -> Story:
    story = Story()
    story.attach()
    for second in range(WATCHED_S):
        story.open(FILE, 10)
        story.heap = {OBJECTS: (MANY_BYTES, MANY_BYTES)}
        story.heap |= {opened: (10 * second, 1000 * second)} if opened else {}
        story.tell()
    return story


MANY_BYTES = 50_000_000


def test_descriptors_without_an_object_are_lost_and_surer_for_it() -> None:
    (lost,) = looked_at(None).sure()
    (kept,) = looked_at(Subject(What.TYPE, "_io.FileIO")).sure()
    assert "no Python object owns them" in lost.suggested_fix
    assert "no Python object owns them" not in kept.suggested_fix
    assert lost.confidence > kept.confidence


def test_connections_whose_peer_has_closed_are_surer_than_open_ones() -> None:
    (dead,) = leaking(ACCEPTED, Story(states={ACCEPTED: SocketState.CLOSE_WAIT})).sure()
    (alive,) = leaking(ACCEPTED, Story(states={ACCEPTED: SocketState.ESTABLISHED})).sure()
    assert (dead.kind, dead.type) == (Kind.SOCKETS, "socket CLOSE_WAIT")
    assert (alive.kind, alive.type) == (Kind.SOCKETS, "socket")
    assert dead.confidence > alive.confidence
    assert [frame.function for frame in dead.site] == ["Server.serve"]
    assert "server.py:21, through socket.accept" in dead.title
    assert "close() when recv()" in dead.suggested_fix


def test_polled_sockets_are_told_by_the_state_of_those_that_were_added() -> None:
    story = Story(polled=True, states={ACCEPTED: SocketState.CLOSE_WAIT, OTHER_LINE: SocketState.ESTABLISHED})
    (found,) = leaking(ACCEPTED, story).sure()
    assert found.type == "socket CLOSE_WAIT"


def test_connections_that_never_connect() -> None:
    (found,) = leaking(ACCEPTED, Story(states={ACCEPTED: SocketState.SYN_SENT})).sure()
    assert found.type == "socket SYN_SENT"
    assert "timeout" in found.suggested_fix


def test_connections_that_wait_for_their_peer_are_to_be_closed() -> None:
    (found,) = leaking(ACCEPTED, Story(states={ACCEPTED: SocketState.FIN_WAIT2})).sure()
    assert found.type == "socket FIN_WAIT2"
    assert "connecting" not in found.suggested_fix
    assert "close()" in found.suggested_fix


def test_a_pool_that_has_all_it_wants_is_no_leak() -> None:
    story = Story(states={ACCEPTED: SocketState.ESTABLISHED})
    story.attach()
    for second in range(2 * WATCHED_S):
        story.open(ACCEPTED, 3) if second < 20 else None
        story.tell()
        assert story.sure() == []


def test_dead_connections_of_a_pool_are_a_suspicion() -> None:
    story = Story(states={ACCEPTED: SocketState.CLOSE_WAIT})
    story.open(ACCEPTED, 12)
    story.attach()
    for _ in range(70):
        story.tell()
    (found,) = story.findings()
    assert (found.type, found.count) == ("socket CLOSE_WAIT", 12)
    assert found.confidence < 0.5


@pytest.mark.parametrize(("unsent_bytes", "told"), [(1 << 20, [Kind.SOCKETS]), (0, [])])
def test_what_is_written_faster_than_it_is_read(unsent_bytes: int, told: list[Kind]) -> None:
    """The same buffer grows in both; only the full queue of the kernel says that the peer does not read."""
    buffer = Subject(What.TYPE, "memoryview", "app.server.Transport._buffer")
    story = Story(unsent_bytes=unsent_bytes, states={ACCEPTED: SocketState.ESTABLISHED})
    story.open(ACCEPTED)
    story.attach()
    for second in range(WATCHED_S):
        size = second * 500_000
        story.numbers |= {"rss_bytes": MANY_BYTES + size, "rss_anonymous_bytes": MANY_BYTES + size}
        story.heap = {
            OBJECTS: (MANY_BYTES + size, MANY_BYTES + size),
            buffer: (500 * second, 50_000 * second),
        }
        story.tell()
    assert [one.kind for one in story.sure() if one.holder == buffer.holder and one.kind in told] == told
    assert (Kind.SOCKETS in {one.kind for one in story.sure()}) == bool(told)


def test_a_cache_of_bytes_beside_a_slow_peer_is_a_cache() -> None:
    cache = Subject(What.CONTAINER, "bytes", "app.PAGES", container="dict", elements=Elements.DATA)
    story = Story(unsent_bytes=1 << 20, states={ACCEPTED: SocketState.ESTABLISHED})
    story.open(ACCEPTED)
    story.attach()
    for second in range(WATCHED_S):
        story.heap = {OBJECTS: (MANY_BYTES, MANY_BYTES), cache: (2000 + 500 * second, 50_000 * second)}
        story.tell()
    assert [(one.kind, one.holder) for one in story.sure()] == [(Kind.CACHES, "app.PAGES")]
