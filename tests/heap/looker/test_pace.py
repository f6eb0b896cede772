"""When which process is looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memprobe.heap.looker.pace import MOST_AHEAD_NS, NS, PAUSE_NS, REST_NS, SHARE, Pace
from memprobe.vocab import TargetId

ONE, OTHER = TargetId(1, 10), TargetId(2, 20)


def run(pace: Pace, cost_ns: int, until_s: int, took_ns: int = 0) -> list[float]:
    """Look whenever it is due, second by second; return when looks began."""
    begun = []
    end_ns = 0
    for second in range(until_s):
        now_ns = second * NS
        target = pace.next(now_ns) if now_ns >= end_ns else None
        if target is not None:
            pace.begun(target, now_ns)
            end_ns = now_ns + (took_ns or cost_ns)
            pace.done(target, cost_ns, end_ns)
            begun.append(float(second))
    return begun


def followed(*targets: TargetId) -> Pace:
    pace = Pace()
    pace.follow(targets, 0)
    return pace


def test_a_small_heap_is_looked_at_often_at_first() -> None:
    assert run(followed(ONE), NS // 10, 70) == [0, 3, 6, 9, 12, 16, 21, 27, 34, 45, 56, 67]


def test_a_large_one_twice_soon_and_then_as_seldom_as_its_share_wants() -> None:
    """The third as soon as enough is paid back of what two have cost; then 9 s in 450."""
    assert run(followed(ONE), 9 * NS, 1000) == [0, 12, 310, 769]


def test_two_take_turns_and_share() -> None:
    pace, turns = followed(ONE, OTHER), []
    for second in range(2000):
        if (target := pace.next(second * NS)) is not None:
            turns.append((target.pid, second))
            pace.begun(target, second * NS)
            pace.done(target, NS, second * NS)
    late = [turn for turn in turns if turn[1] > 1000]
    assert [pid for pid, _ in late] == [late[0][0], late[1][0]] * (len(late) // 2)
    assert late[2][1] - late[0][1] == 2 / SHARE  # one second of CPU each, in twice fifty


def test_who_is_looked_at_less_often() -> None:
    pace = followed(ONE)
    pace.slower(4, 0)
    pace.begun(ONE, 0)
    pace.done(ONE, NS // 10, 0)
    assert pace.next(4 * PAUSE_NS - 1) is None
    assert pace.next(4 * PAUSE_NS) == ONE


def test_one_that_fails_waits_and_begins_anew() -> None:
    pace = followed(ONE)
    pace.begun(ONE, 0)
    pace.done(ONE, 0, NS)
    pace.failed(ONE, 60 * NS, NS)
    assert pace.next(60 * NS) is None
    assert pace.next(61 * NS) == ONE
    pace.begun(ONE, 61 * NS)
    pace.done(ONE, 0, 61 * NS)
    assert pace.next(61 * NS + REST_NS) == ONE


def test_one_that_has_gone_has_no_turn() -> None:
    pace = followed(ONE)
    pace.begun(ONE, 0)
    pace.follow([], NS)
    pace.done(ONE, NS, NS)
    assert pace.ahead_ns(NS) == NS
    assert pace.next(100 * NS) is None


@given(
    costs=st.lists(st.integers(1, 15 * NS), min_size=1, max_size=40),
    crowd=st.integers(1, 9),
    turnover=st.integers(0, 9),
)
def test_the_looks_cost_their_share_in_the_long_run(costs: list[int], crowd: int, turnover: int) -> None:
    """However many processes come and go."""
    pace, now_ns, spent_ns = Pace(), 0, 0
    for number, cost_ns in enumerate(costs):
        pace.follow([TargetId(number * turnover // 3 + index, 1) for index in range(crowd)], now_ns)
        while (target := pace.next(now_ns)) is None:
            now_ns += NS
        pace.begun(target, now_ns)
        now_ns += cost_ns
        spent_ns += cost_ns
        pace.done(target, cost_ns, now_ns)
        assert spent_ns <= now_ns * SHARE + MOST_AHEAD_NS + max(costs) * (crowd + 1)
        assert pace.ahead_ns(now_ns) >= int(spent_ns - now_ns * SHARE) - 1
