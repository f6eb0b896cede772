"""What is one leak and what are two."""

from __future__ import annotations

import random
from typing import Any

import pytest

from detectors.made_up import SITE, grown, growth, suspect
from memprobe.detectors.evidence import Suspect
from memprobe.detectors.merging import Leak, merge
from memprobe.detectors.verdicts import finding_id
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame


def only(leaks: list[Leak]) -> Leak:
    (leak,) = leaks
    return leak


def test_the_same_in_several_processes_is_one_with_the_sum_of_both() -> None:
    workers = [suspect(Kind.CACHES, grown(pid=pid), holder=f"app.CACHES[{pid}]") for pid in (7, 8)]
    leak = only(merge(workers))
    assert [one.pid for one in leak.piles] == [7, 8]
    assert leak.others == ()


def test_two_holders_are_two_leaks() -> None:
    first = suspect(Kind.CACHES, grown(1), holder="app.FIRST")
    second = suspect(Kind.CACHES, grown(2), holder="app.SECOND")
    assert len(merge([first, second])) == 2


def test_what_rests_on_the_same_numbers_is_one_and_the_scarcest_names_it() -> None:
    cache = suspect(Kind.CACHES, grown(1), holder="app.CACHE", confidence=0.9)
    sockets = suspect(Kind.SOCKETS, grown(2), grown(1), type="socket", confidence=0.8)
    leak = only(merge([cache, sockets]))
    assert leak.lead == sockets
    assert leak.others == (cache,)
    assert [one.subject_id for one in leak.piles] == [2]


def test_a_mere_suspicion_does_not_name_a_leak_that_is_sure() -> None:
    cache = suspect(Kind.CACHES, grown(1), holder="app.CACHE", confidence=0.9)
    sockets = suspect(Kind.SOCKETS, grown(2), grown(1), type="socket", confidence=0.3)
    assert only(merge([cache, sockets])).lead == cache


def test_what_is_inside_of_what_grows_grows_because_of_it() -> None:
    outer = suspect(Kind.CACHES, grown(1), holder="app.SESSIONS")
    inner = suspect(Kind.CACHES, grown(2), holder="app.SESSIONS[…].buffers", type="bytes", confidence=0.9)
    assert only(merge([inner, outer])).lead == outer


def test_what_grows_much_faster_than_what_it_is_in_grows_by_itself() -> None:
    outer = suspect(Kind.CACHES, grown(1, count=1000, added=10), holder="app.SESSIONS")
    inner = suspect(Kind.CACHES, grown(2), holder="app.SESSIONS[…].buffers", type="bytes")
    assert len(merge([inner, outer])) == 2


def test_a_chain_of_holders_is_one_leak() -> None:
    cache = suspect(Kind.CACHES, grown(1), holder="app.CACHE")
    below = grown(2, chain=("app.CACHE", "app.CACHE[…].session"))
    files = suspect(Kind.HANDLES, below, holder="app.Session.file", type="file")
    leak = only(merge([cache, files]))
    assert (leak.lead.kind, [one.kind for one in leak.others]) == (Kind.HANDLES, [Kind.CACHES])


def test_one_line_of_the_program_is_one_cause() -> None:
    called = (Frame("start", "/usr/lib/python3.11/threading.py", 9), SITE[1])
    pipes = suspect(Kind.HANDLES, grown(1), site=SITE, type="pipe")
    threads = suspect(Kind.THREADS, grown(2), site=called, type="worker")
    assert only(merge([pipes, threads])).lead == threads


def test_one_line_of_a_library_is_not() -> None:
    first = suspect(Kind.HANDLES, grown(1), site=SITE[:1], type="pipe")
    second = suspect(Kind.THREADS, grown(2), site=SITE[:1], type="worker")
    assert len(merge([first, second])) == 2


def test_ten_thousand_of_a_kind_are_one() -> None:
    suspects = [suspect(Kind.SOCKETS, grown(number), site=SITE, type="socket") for number in range(10_000)]
    leak = only(merge(suspects))
    assert len(leak.piles) == 10_000


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_suspects_does_not_matter(seed: int) -> None:
    kinds = list(Kind)
    random_ = random.Random(seed)
    suspects = [
        suspect(
            random_.choice(kinds),
            grown(random_.randrange(8), added=random_.randrange(1, 600)),
            holder=random_.choice(["", "app.A", "app.A[…].b", "app.C"]),
            site=random_.choice([(), SITE]),
            confidence=random_.choice([0.2, 0.6, 0.9]),
        )
        for _ in range(12)
    ]
    merged = merge(suspects)
    random_.shuffle(suspects)
    again = merge(suspects)
    assert {finding_id(leak) for leak in again} == {finding_id(leak) for leak in merged}
    assert sum(len(leak.suspects) for leak in again) == len(suspects)


def test_an_id_has_no_key_no_line_and_no_number_in_it() -> None:
    before = suspect(Kind.CACHES, grown(1), holder="app.CACHE['a'].rows", title="12 rows", confidence=0.6)
    after = suspect(Kind.CACHES, grown(9, pid=8), holder="app.CACHE[17].rows", title="99 rows")
    assert finding_id(only(merge([before]))) == finding_id(only(merge([after])))
    moved = (Frame("serve", "/srv/app.py", 99),)
    first = suspect(Kind.HANDLES, grown(1), site=SITE[1:])
    second = suspect(Kind.HANDLES, grown(1), site=moved)
    assert finding_id(only(merge([first]))) == finding_id(only(merge([second])))


def paced(kind: Kind, subject_id: int, per_s: float, **values: Any) -> Suspect:
    return suspect(kind, grown(subject_id, growth=growth(per_s)), **values)


def test_plumbing_that_keeps_pace_comes_of_the_same() -> None:
    sockets = paced(Kind.SOCKETS, 1, 6.0, type="socket", site=SITE)
    keys = paced(Kind.CACHES, 2, 12.02, type="selectors.SelectorKey", holder="app.loop._fd_to_key")
    weak = paced(Kind.LISTENERS, 3, 5.99, type="weakref.KeyedRef", holder="asyncio.tasks._all.data")
    leak = only(merge([keys, weak, sockets]))
    assert leak.lead == sockets
    assert set(leak.others) == {keys, weak}


def test_plumbing_at_another_pace_is_another_leak() -> None:
    sockets = paced(Kind.SOCKETS, 1, 6.0, type="socket", site=SITE)
    keys = paced(Kind.CACHES, 2, 8.5, type="selectors.SelectorKey", holder="app.loop._fd_to_key")
    assert len(merge([keys, sockets])) == 2


def test_two_leaks_of_the_program_at_one_pace_stay_two() -> None:
    first = paced(Kind.CACHES, 1, 10.0, holder="app.FIRST")
    second = paced(Kind.LISTENERS, 2, 10.0, holder="app.BUS", type="app.on_event")
    assert len(merge([first, second])) == 2


def test_a_file_opened_in_the_constructor_of_what_is_held_is_held_there() -> None:
    site = (Frame("__init__", "/lib/python3.8/site-packages/archive/zip.py", 9), SITE[1])
    files = paced(Kind.HANDLES, 1, 6.0, type="file", site=site)
    cache = paced(Kind.CACHES, 2, 6.0, type="archive.zip.Archive", holder="archive.spec.CACHE")
    other = paced(Kind.CACHES, 3, 6.0, type="archive.tar.Archive", holder="archive.spec.OTHERS")
    together, alone = merge([files, cache, other])
    assert (together.lead, together.others) == (files, (cache,))
    assert alone.lead == other


def test_what_a_loop_accepts_is_the_other_end_of_what_the_program_opened() -> None:
    opened = paced(Kind.SOCKETS, 1, 6.0, type="socket", site=SITE)
    under = (Frame("accept", "/usr/lib/python3.11/socket.py", 7), Frame("<module>", "/srv/app.py", 99))
    accepted = paced(Kind.SOCKETS, 2, 6.0, type="socket", site=under, confidence=0.9)
    assert only(merge([accepted, opened])).lead == opened


def test_types_of_one_cycle_are_one() -> None:
    garbage = [
        paced(Kind.CYCLES, number, 50.0 * number, type=f"app.T{number}", holder="<nothing>")
        for number in (1, 2, 3)
    ]
    assert len(only(merge(garbage)).suspects) == 3
