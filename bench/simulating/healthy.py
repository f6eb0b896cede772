"""The healthy series of a process, and how many of each sort a service has.

Where software documents its numbers they are taken from there; `TYPICAL` says why of each. Nothing here is
fitted to what the model does. One whose program is different multiplies by the column "in 100 such series" of
bench/results/models.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from memprobe.detectors.confidence import Sign

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

Times = NDArray[Any]
"""Seconds since the start of the process."""

EXPORT_S = (0.5, 1.0, 1.0, 1.0, 5.0, 60.0)
"""Seconds between two exports, as their makers have chosen: PostHog 0.5, InfluxDB's client, ddtrace and
Jaeger 1, OpenTelemetry's spans 5, New Relic 60."""


COLLECTED = 2000.0
"""The first threshold of the collector: 700 in older versions of CPython."""

PAST = 400
"""Moments before the first reading, of what is the most there ever was."""


def about(rng: Generator, low: float, high: float) -> float:
    """Anything between: every order of magnitude is as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def wandering(rng: Generator, times: Times, memory_s: float) -> Times:
    """A stationary Gaussian process of variance 1 that forgets in `memory_s` (Ornstein-Uhlenbeck)."""
    kept = np.exp(-np.diff(times) / memory_s).tolist()
    kicks = rng.normal(size=len(times)).tolist()
    for at, share in enumerate(kept, 1):
        kicks[at] = share * kicks[at - 1] + (1.0 - share * share) ** 0.5 * kicks[at]
    return np.array(kicks)


def still(rng: Generator, times: Times) -> Times:
    """Counts that hardly ever change."""
    changes = np.sort(rng.uniform(times[0], times[-1], rng.integers(0, 4)))
    counts: Times = about(rng, 1, 1e6) // 1 + np.searchsorted(changes, times)
    return counts


def in_flight(rng: Generator, times: Times) -> Times:
    """What is in flight: independent from look to look."""
    return rng.poisson(about(rng, 1, 1e5), len(times)).astype(float)


def drifting(rng: Generator, times: Times) -> Times:
    """Load that goes up and down within seconds to an hour, by a tenth to a half of itself."""
    swing = rng.uniform(0.1, 0.5) * wandering(rng, times, about(rng, 5, HOUR))
    counts: Times = rng.poisson(about(rng, 10, 1e5) * np.exp(swing)).astype(float)
    return counts


def walk(rng: Generator, times: Times) -> Times:
    """As likely up as down, by pieces."""
    moves = rng.uniform(0.1, 5) * np.diff(times, prepend=times[0]) / 2
    walked: Times = np.cumsum(rng.poisson(moves) - rng.poisson(moves)).astype(float)
    walked *= round(about(rng, 1, 100))
    return abs(walked)


def day(rng: Generator, times: Times) -> Times:
    """Sessions: as the day goes, with 20 to 90 % less at night."""
    wave = 1.0 + rng.uniform(0.2, 0.9) * np.sin(2 * np.pi * (times / DAY + rng.uniform()))
    return rng.poisson(about(rng, 10, 1e5) * wave).astype(float)


def bursts(rng: Generator, times: Times) -> Times:
    """Traffic that is 2 to 20 times as high for 10 s to 10 minutes, once in an hour or so."""
    level = np.full(len(times), about(rng, 5, 1e4))
    for begin in np.cumsum(rng.exponential(HOUR, 30)) + times[0] - HOUR:
        lasts_s, height = about(rng, 10, 600), about(rng, 2, 20)
        edge = np.clip(np.minimum(times - begin, begin + lasts_s - times) / (lasts_s / 10), 0.0, 1.0)
        level *= 1.0 + (height - 1.0) * edge
    return rng.poisson(level).astype(float)


def _with_past(times: Times) -> tuple[Times, slice]:
    """Some moments since the process began before those; and where the latter are."""
    past = times[0] - np.geomspace(times[0], 1.0, PAST)
    return np.concatenate((past, times)), slice(PAST, None)


def pool(rng: Generator, times: Times) -> Times:
    """Threads or connections, up to 4 to 100: as many as were ever needed at once."""
    times, seen = _with_past(times)
    load = np.exp(0.5 * wandering(rng, times, about(rng, 5, HOUR)))
    needed = rng.poisson(load * about(rng, 2, 50)) * np.minimum(times / about(rng, 1, 10 * MINUTE), 1.0)
    most: Times = np.maximum.accumulate(np.floor(needed))
    return np.minimum(most[seen], about(rng, 4, 100) // 1)


def high_water(rng: Generator, times: Times) -> Times:
    """Memory that is never given back: the most there ever was of a load that wanders, and a little noise."""
    times, seen = _with_past(times)
    load = about(rng, 1e3, 1e5) * np.exp(rng.uniform(0.05, 0.3) * wandering(rng, times, about(rng, 5, HOUR)))
    most: Times = np.maximum.accumulate(load) // 1
    return (most + rng.integers(0, 20, len(times)))[seen]


def _teeth(rng: Generator, times: Times, period_s: float, per_s: float) -> Times:
    """What has come since the last flush; they come every `period_s`, not quite on time."""
    number = int((times[-1] - times[0]) / (0.9 * period_s)) + 4
    flushed = (
        times[0] - period_s * rng.uniform() + np.cumsum(period_s * rng.uniform(0.9, 1.1, number)) - period_s
    )
    flushed = np.sort(np.maximum(np.append(flushed, flushed[0] - 2 * period_s), 0.0))
    since: Times = times - flushed[np.searchsorted(flushed, times, side="right") - 1]
    return np.floor(per_s * since)


def export(rng: Generator, times: Times) -> Times:
    """A buffer of spans, points or log lines that is emptied when they are sent."""
    return _teeth(rng, times, float(rng.choice(EXPORT_S)), about(rng, 0.1, 1e3))


def garbage(rng: Generator, times: Times) -> Times:
    """What nothing reaches, until the collector comes: after 1 s to 10 minutes, when there are enough."""
    period_s = about(rng, 1, 10 * MINUTE)
    return _teeth(rng, times, period_s, about(rng, 10, COLLECTED) / period_s)


def aggregate(rng: Generator, times: Times) -> Times:
    """What the program itself collects, and writes every minute to every two hours."""
    return _teeth(rng, times, about(rng, MINUTE, 2 * HOUR), about(rng, 0.1, 1e3))


def expiring(rng: Generator, times: Times) -> Times:
    """Sessions, timeouts, answers of name servers: forgotten 10 s to an hour after they came."""
    lives_s = about(rng, 10, HOUR)
    return rng.poisson(about(rng, 0.1, 100) * np.minimum(times, lives_s)).astype(float)


def batches(rng: Generator, times: Times) -> Times:
    """Memory: a job every 5 minutes to a day loads for 1 s to 10 minutes, and lets go of all of it."""
    period_s = about(rng, 5 * MINUTE, DAY)
    loads_s = about(rng, 1, min(10 * MINUTE, period_s / 2))
    within = (times + rng.uniform() * period_s) % period_s
    loaded = about(rng, 100, 1e6) * np.where(within < loads_s, within / loads_s, 0.0)
    return np.floor(about(rng, 1e3, 1e5) + loaded)


def _learned(rng: Generator, times: Times, number: int, tau_s: float) -> Times:
    return np.searchsorted(np.sort(rng.exponential(tau_s, number)), times).astype(float)


def warm_up(rng: Generator, times: Times) -> Times:
    """A memo that comes to know all its 10 to 10,000 values: e-fold in 1 s to 10 minutes."""
    return _learned(rng, times, int(about(rng, 10, 1e4)), about(rng, 1, 10 * MINUTE))


def long_warm_up(rng: Generator, times: Times) -> Times:
    """One that comes to know its 1,000 to 1,000,000 values in hours: e-fold in 10 minutes to 3 hours."""
    return _learned(rng, times, int(about(rng, 1e3, 1e6)), about(rng, 10 * MINUTE, 3 * HOUR))


def one_off(rng: Generator, times: Times) -> Times:
    """A table that is loaded within 0.5 s to a minute, at the start or some time later, and stays."""
    begin = rng.choice([0.0, about(rng, 1, DAY)])
    share = np.clip((times - begin) / about(rng, 0.5, 60), 0.0, 1.0)
    loaded: Times = np.floor(about(rng, 100, 1e6) * share)
    return loaded + round(about(rng, 1, 1000))


@dataclass(frozen=True)
class Sort:
    """One sort of healthy series."""

    make: Callable[[Generator, Times], Times]
    number: float
    """In a process, on average; a process has as many as chance will have it (Poisson)."""

    by_chance: bool
    """It never grows on and on; the others do for a while, and nothing but time or structure tells."""

    why: str
    """So many."""

    sign: Sign | None = None
    """What the detectors always hold against it."""

    @property
    def alarming(self) -> float:
        """The probability that makes it a finding."""
        return 0.5 if self.sign is None else 1.0 / (1.0 + exp(self.sign.weight))

    @property
    def name(self) -> str:
        """As it is called in the table."""
        return self.make.__name__.replace("_", " ")


TYPICAL = (
    Sort(still, 120, True, "modules, classes, settings: most of what is followed"),
    Sort(in_flight, 30, True, "requests, their tasks, sockets, buffers, and the types of their objects"),
    Sort(drifting, 10, True, "the same under load that changes"),
    Sort(walk, 2, True, "a queue at its limit"),
    Sort(day, 5, True, "users, and what there is for each"),
    Sort(bursts, 5, True, "jobs, retries"),
    Sort(pool, 5, True, "threads, connections, workers"),
    Sort(high_water, 3, True, "resident memory, arenas, mappings"),
    Sort(export, 3, False, "traces, metrics and logs"),
    Sort(garbage, 1, False, "of a process it is one suspect, whatever its types", Sign.RECYCLED),
    Sort(aggregate, 0.1, False, "one service in ten writes by itself what it counts"),
    Sort(expiring, 1, False, "one table of sessions or timeouts"),
    Sort(batches, 0.5, False, "every other service has a job of its own"),
    Sort(warm_up, 5, False, "routes, statements, templates, classes"),
    Sort(long_warm_up, 0.05, False, "one service in twenty remembers all products, or places"),
    Sort(one_off, 3, False, "modules, settings, tables"),
)
"""About 200 series: a service as memprobe sees it."""
