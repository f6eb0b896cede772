"""Which rungs of the ladder are shed: a pure function of the costs, so that a replay decides the same.

Down: when a budget is exhausted, one to three rungs at a time by how far the rate is over it, each time
after a second in which the effect of the last change could be seen. At EMERGENCY_RATIO times the allowed
slow-down everything goes at once, without waiting: the bucket (budget.py) has let a burst pass, this is
none.

Up: one rung at a time, when the budget is solvent and
- the target is calm: by its activity, what was shed would now cost at most RETURN_SHARE of the limit; or
- nothing speaks about its activity, or it has been as busy as before for a long time: then it is tried.
A rung that soon has to be shed again waits twice as long the next time: no flapping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from memprobe.config import DEFAULTS
from memprobe.governor.budget import Meter
from memprobe.governor.costs import Activity, Cost

SECOND_NS = 1_000_000_000

SETTLE_NS = SECOND_NS
"""After a change its effect is watched this long before the next rung goes."""

EMERGENCY_RATIO = 10
"""At this multiple of the allowed slow-down everything goes at once; 1 M opens/s are at 50 to 100."""

SLOWDOWN_SLACK_S = 5
"""Bucket of the slow-down: 50 ms at 1 %. A 1 s burst of 6 % passes; 50 % empties it between two checks."""

SLOWDOWN_SUSTAINED_NS = 10 * SECOND_NS
"""So long the target may lose a little more than is allowed, without a break."""

CPU_SLACK_S = 120
"""Bucket of memprobe's own CPU: 6 s at 5 %: loading the programs (1.7 s) and 10 s of 200,000 events/s."""

CPU_SUSTAINED_NS = 30 * SECOND_NS
"""So long memprobe may use a little more than is allowed: the limit is one for the steady state."""

RETURN_SHARE = 0.7
"""A rung returns if the cost to be expected is at most this share of the limit."""

CALM_NS = 5 * SECOND_NS
"""The target must have been calm this long before a rung returns; doubled by each relapse."""

TRIAL_NS = 60 * SECOND_NS
"""Where nothing tells whether it is calm, a rung is tried after this long; doubled by each relapse."""

LONGEST_WAIT_NS = 600 * SECOND_NS
"""No wait is longer; a target that is as busy as ever is tried at this interval."""

RELAPSE_NS = 900 * SECOND_NS
"""Shed again this soon after its return: a relapse."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The two promises."""

    slowdown_pct: float = DEFAULTS.budget.slowdown_pct
    """`--max-overhead`: what the target may lose, of its own CPU time (of a fifth of a core at least, and of
    one core at most)."""

    cpu_pct: float = DEFAULTS.budget.cpu_pct
    """What memprobe may use, of one core, in the steady state."""

    def __post_init__(self) -> None:
        if min(self.slowdown_pct, self.cpu_pct) <= 0:
            raise ValueError("a limit of the governor must be above 0")


@dataclass(frozen=True, slots=True)
class Mark:
    """What is remembered of one rung."""

    slowdown_pct: float = 0.0
    """The target's slow-down when it was last shed."""

    cpu_pct: float = 0.0

    activity: Activity | None = None
    """How busy the target was then."""

    restored_ns: int | None = None
    """When it last returned."""

    relapses: int = 0
    """How often in a row it had to be shed again soon after its return."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the next decision depends on."""

    marks: tuple[Mark, ...]
    """One for each rung of the ladder."""

    slowdown: Meter

    cpu: Meter

    shed: int = 0
    """The first so many rungs are shed."""

    changed_ns: int = 0
    """When the ladder last changed."""

    activity: Activity | None = None
    """Smoothed over about a second."""

    calm_ns: int = 0
    """How long the target has been calm enough for the last rung to return."""

    @classmethod
    def begin(cls, limits: Limits, rungs: int) -> State:
        """Return the state in which nothing is shed."""
        slowdown = Meter.full(limits.slowdown_pct, SLOWDOWN_SLACK_S, SLOWDOWN_SUSTAINED_NS)
        cpu = Meter.full(limits.cpu_pct, CPU_SLACK_S, CPU_SUSTAINED_NS)
        return cls((Mark(),) * rungs, slowdown, cpu)


def decide(state: State, time_ns: int, cost: Cost) -> State:
    """Return the state after another stretch of time, which ended at `time_ns` and cost `cost`."""
    seen = _observe(state, cost)
    down = _rungs_down(seen)
    if down:
        return _shed(seen, time_ns, down)
    if seen.shed and _may_return(seen, time_ns):
        return _restore(seen, time_ns)
    return seen


def _observe(state: State, cost: Cost) -> State:
    """Add what was spent, and look whether the target is calm."""
    seen = replace(
        state,
        slowdown=state.slowdown.spend(cost.due_target_ns, cost.elapsed_ns),
        cpu=state.cpu.spend(cost.due_cpu_ns, cost.elapsed_ns),
        activity=_smoothed(state.activity, cost.activity, cost.elapsed_ns),
    )
    return replace(seen, calm_ns=state.calm_ns + cost.elapsed_ns if _forecast(seen) <= RETURN_SHARE else 0)


def _smoothed(old: Activity | None, new: Activity | None, elapsed_ns: int) -> Activity | None:
    """The activity over about a second; one of another kind begins anew."""
    if old is None or new is None or old.kind != new.kind:
        return new
    weight = elapsed_ns / (elapsed_ns + SECOND_NS)
    return Activity(new.kind, old.per_s + (new.per_s - old.per_s) * weight)


def _rungs_down(state: State) -> int:
    """How many more rungs must go now."""
    exhausted = [meter.ratio for meter in (state.slowdown, state.cpu) if meter.is_exhausted]
    left = len(state.marks) - state.shed
    if not exhausted or not left:
        return 0
    if state.slowdown.is_exhausted and state.slowdown.ratio >= EMERGENCY_RATIO:
        return left
    if state.slowdown.observed_ns < SETTLE_NS:
        return 0
    worst = max(exhausted)
    return min(left, 1 if worst < 2 else 2 if worst < 4 else 3)


def _shed(state: State, time_ns: int, count: int) -> State:
    first, end = state.shed, state.shed + count
    marks = [_shed_mark(mark, state, time_ns) for mark in state.marks[first:end]]
    return _changed(state, time_ns, end, (*state.marks[:first], *marks, *state.marks[end:]))


def _shed_mark(mark: Mark, state: State, time_ns: int) -> Mark:
    relapsed = mark.restored_ns is not None and time_ns - mark.restored_ns < RELAPSE_NS
    return Mark(
        slowdown_pct=state.slowdown.rate_pct,
        cpu_pct=state.cpu.rate_pct,
        activity=state.activity,
        restored_ns=mark.restored_ns,
        relapses=mark.relapses + 1 if relapsed else 0,
    )


def _may_return(state: State, time_ns: int) -> bool:
    """Whether the rung that was shed last may come back."""
    if not (state.slowdown.is_solvent and state.cpu.is_solvent):
        return False
    waited_ns, mark = time_ns - state.changed_ns, state.marks[state.shed - 1]
    if _comparable(mark.activity, state.activity):
        calm_ns = min(state.calm_ns, waited_ns)
        return calm_ns >= _wait_ns(CALM_NS, mark) or waited_ns >= LONGEST_WAIT_NS
    return waited_ns >= _wait_ns(TRIAL_NS, mark)


def _wait_ns(first_ns: int, mark: Mark) -> int:
    """The wait after this many relapses."""
    return min(first_ns << min(mark.relapses, 10), LONGEST_WAIT_NS)


def _restore(state: State, time_ns: int) -> State:
    last = state.shed - 1
    mark = replace(state.marks[last], restored_ns=time_ns)
    return _changed(state, time_ns, last, (*state.marks[:last], mark, *state.marks[last + 1 :]))


def _changed(state: State, time_ns: int, shed: int, marks: tuple[Mark, ...]) -> State:
    return replace(
        state,
        shed=shed,
        marks=marks,
        changed_ns=time_ns,
        calm_ns=0,
        slowdown=state.slowdown.forget(is_over=shed > state.shed),
        cpu=state.cpu.forget(is_over=shed > state.shed),
    )


def _comparable(then: Activity | None, now: Activity | None) -> bool:
    """Whether two activities say which is busier."""
    return then is not None and now is not None and then.kind == now.kind and then.per_s > 0


def _forecast(state: State) -> float:
    """What the rung that was shed last would cost now, as a multiple of the limits; inf if unknown."""
    mark = state.marks[state.shed - 1] if state.shed else Mark()
    if mark.activity is None or state.activity is None or not _comparable(mark.activity, state.activity):
        return float("inf")
    busy = state.activity.per_s / mark.activity.per_s
    return busy * max(mark.slowdown_pct / state.slowdown.limit_pct, mark.cpu_pct / state.cpu.limit_pct)
