"""What the same call takes out again is no growth."""

from __future__ import annotations

import pytest

from memprobe.ledger.cancelling import left_over
from memprobe.vocab.stack import Frame


def stack(*functions: str) -> tuple[Frame, ...]:
    """Outermost first, as people read it."""
    return tuple(Frame(one.split(":")[0], "app.py", int(one.split(":")[1])) for one in reversed(functions))


def test_a_function_that_puts_and_takes_leaves_nothing() -> None:
    puts, takes, leaks = (
        stack("main:1", "churn:5"),
        stack("main:1", "churn:6"),
        stack("main:2", "leak:9"),
    )
    assert left_over([(puts, (300.0, 0.0)), (takes, (0.0, 300.0)), (leaks, (6.0, 0.0))]) == [0.0, 0.0, 6.0]


def test_a_request_that_acquires_and_releases_leaves_nothing() -> None:
    acquires = stack("serve:1", "handle:2", "acquire:5")
    releases = stack("serve:1", "handle:3", "release:6")
    leaks = stack("serve:1", "handle_other:4", "store:7")
    left = left_over([(acquires, (100.0, 0.0)), (releases, (0.0, 100.0)), (leaks, (1.0, 0.0))])
    assert left == [0.0, 0.0, 1.0]


def test_what_goes_elsewhere_is_shared_out_where_the_ways_meet() -> None:
    one, other, evicts = (
        stack("main:1", "one:5"),
        stack("main:2", "other:6"),
        stack("main:3", "evict:7"),
    )
    left = left_over([(one, (30.0, 0.0)), (other, (10.0, 0.0)), (evicts, (0.0, 20.0))])
    assert left == pytest.approx([15.0, 5.0, 0.0])


def test_threads_that_hand_on_do_not_cancel() -> None:
    produces, consumes = stack("produce:1", "put:5"), stack("consume:1", "get:6")
    assert left_over([(produces, (50.0, 0.0)), (consumes, (0.0, 40.0))]) == [50.0, 0.0]


def test_nothing_and_unknown_stacks() -> None:
    assert left_over([]) == []
    assert left_over([((), (5.0, 3.0))]) == [5.0]
