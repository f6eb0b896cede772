"""Every sort of container, filled by every sort of caller, under every interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from blame.watching_containers import WatchingContainers, by_function, innermost, watching_containers
from patience import TRIES
from programs import Target
from pythons import INTERPRETERS, Interpreter

pytestmark = pytest.mark.usefixtures("bpf")

CONTAINERS = (
    "x_dict",
    "x_list",
    "x_set",
    "x_deque",
    "x_counter",
    "x_ordered",
    "x_default",
    "x_names",
    "x_rows",
    "x_cached",
    "x_user",
    "x_queue",
)
CALLERS = (
    "by_function",
    "by_method",
    "<lambda>",
    "by_generator",
    "by_coroutine",
    "by_thread",
    "by_new_thread",
    "by_library",
)
AMOUNTS, CHURN = (6, 4, 3, 3, 2, 2, 1, 1), 8
Times = npt.NDArray[np.int64]

LOUD = 1_000_000.0
"""A budget that no target exhausts: what is right is asked here, not what it costs."""


def test_the_line_that_fills_most_is_first_and_rates_are_right(
    interpreter: Interpreter, targets: Path
) -> None:
    shift = INTERPRETERS.index(interpreter)
    with interpreter.spawn(targets / "filling.py", str(shift)) as target:
        # The first line must be right every time; rates may be spoilt in a moment that others take away.
        assert any(watch_all(target, shift) for _ in range(TRIES))


def watch_all(target: Target, shift: int) -> bool:
    """Watch all containers for a while; return whether the rates that were told of each are right."""
    with watching_containers(target.pid, "__main__.x_*", budget_pct=LOUD, registers=4) as found:
        found.watch(until=lambda: all(found.seen_s(name) >= 1.5 for name in CONTAINERS))
        found.settle()
        times = np.array(target.ask("times").split(), np.int64)
    amounts = [[AMOUNTS[(place + one + shift) % 8] for one in range(8)] for place in range(len(CONTAINERS))]
    return all([are_right(found, name, times, each) for name, each in zip(CONTAINERS, amounts, strict=True)])


def are_right(found: WatchingContainers, name: str, times: Times, amounts: list[int]) -> bool:
    """The truth: so many rounds were made while it was watched.

    Watching begins and ends in the middle of a round. Each watch so sees up to a round too many of some
    callers, which is more than a tenth of all only where few rounds are made in its time: on a machine that
    has no time for them.
    """
    rows = found.watches(name)
    weights = rows["stands_for_ns"] / rows["covered_ns"]
    count = np.arange(len(times))
    begins, ends = rows["time_ns"], rows["time_ns"] + rows["covered_ns"]
    rounds = np.interp(ends, times, count) - np.interp(begins, times, count)
    per_s = float((rounds * weights).sum() / rows["stands_for_ns"].sum()) * 1e9
    filled = found.filled(name)
    flows = by_function(filled)
    assert innermost(filled.flows[0]) == CALLERS[amounts.index(max(amounts))], name
    assert all(flows[caller].removed_per_s == 0 for caller in CALLERS), name
    put = sum(flows[caller].added_per_s for caller in CALLERS)
    edges = 3 * float(np.sqrt((weights**2).sum()) / (rounds * weights).sum())
    near = 0.1 + min(edges, 0.3)
    # Seconds are rough where many wait for a processor; who put in how much is not.
    return put == pytest.approx(sum(amounts) * per_s, rel=0.3) and all(
        flows[caller].added_per_s / put == pytest.approx(amount / sum(amounts), rel=near)
        for caller, amount in zip(CALLERS, amounts, strict=True)
    )
