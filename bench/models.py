"""How often the growth model calls something healthy a leak, and how soon it calls a leak one.

Healthy: process-days of a service with 200 series, of the sorts in `HEALTHY`, watched for a day: once a second
for ten minutes, then once a minute. Three ways to come to it: attached while it runs (for 10 minutes to 7 days
before), the same without knowing for how long, and from its start. An alarm is a probability of 0.5 or more at
any time, looked at after every point.

Leaking: a leak of 1, 10, 100 a second alone and on top of noise; the seconds until it is called one.

Prints the tables and writes bench/results/models.md.

    --days N    process-days in each of the three ways (default 1000)
    --quick     a few: does everything work?
    --jobs N    processes at once (default 2)
    --check     end with 1 if there are more false alarms than promised
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from memprobe.models.growth import Series

RESULTS = Path(__file__).resolve().parent / "results" / "models.md"
NS = 1_000_000_000
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

Times = NDArray[np.float64]
"""Seconds since the start of the process."""

SOON_S = 600.0
"""What is alarmed of within this time of the first look is told apart."""


def about(rng: Generator, low: float, high: float) -> float:
    """Anything between: every order of magnitude is as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def wandering(rng: Generator, times: Times, memory_s: float) -> Times:
    """A stationary Gaussian process of variance 1 that forgets in `memory_s` (Ornstein-Uhlenbeck)."""
    kept = np.exp(-np.diff(times) / memory_s)
    kicks = rng.normal(size=len(times))
    kicks[1:] *= np.sqrt(1.0 - kept**2)
    for at in range(1, len(times)):
        kicks[at] += kept[at - 1] * kicks[at - 1]
    return kicks


def still(rng: Generator, times: Times) -> Times:
    """Counts that hardly ever change."""
    changes = np.sort(rng.uniform(times[0], times[-1], rng.integers(0, 4)))
    return about(rng, 1, 1e6) // 1 + np.searchsorted(changes, times)


def noise(rng: Generator, times: Times) -> Times:
    """What is in flight: independent from look to look."""
    return rng.poisson(about(rng, 1, 1e5), len(times)).astype(float)


def drifting(rng: Generator, times: Times) -> Times:
    """Load that goes up and down within seconds to an hour, by a tenth to a half of itself."""
    swing = rng.uniform(0.1, 0.5) * wandering(rng, times, about(rng, 5, HOUR))
    return rng.poisson(about(rng, 10, 1e5) * np.exp(swing)).astype(float)


def walk(rng: Generator, times: Times) -> Times:
    """As likely up as down, by pieces."""
    moves = rng.uniform(0.1, 5) * np.diff(times, prepend=times[0]) / 2
    return np.abs(np.cumsum(rng.poisson(moves) - rng.poisson(moves)) * np.round(about(rng, 1, 100)))


def day(rng: Generator, times: Times) -> Times:
    """Sessions: as the day goes, with 20 to 90 % less at night."""
    wave = 1.0 + rng.uniform(0.2, 0.9) * np.sin(2 * np.pi * (times / DAY + rng.uniform()))
    return rng.poisson(about(rng, 10, 1e5) * wave).astype(float)


def sawtooth(rng: Generator, times: Times) -> Times:
    """A buffer that is flushed every 5 s to 2 h, not quite on time; garbage that awaits its collection."""
    period_s = about(rng, 5, 2 * HOUR)
    number = int((times[-1] - times[0]) / period_s) + 4
    flushed = times[0] - period_s * (1 + rng.uniform()) + np.cumsum(period_s * rng.uniform(0.9, 1.1, number))
    flushed = np.maximum(np.concatenate(([times[0] - period_s, 0.0], flushed)), 0.0)
    flushed.sort()
    since = times - flushed[np.searchsorted(flushed, times, side="right") - 1]
    return np.floor(about(rng, 0.1, 1e3) * since) + np.floor(about(rng, 1, 1e4))


def batches(rng: Generator, times: Times) -> Times:
    """A job every 5 minutes to 3 hours that loads for 5 s to 10 minutes and then lets go of all of it."""
    period_s = about(rng, 5 * MINUTE, 3 * HOUR)
    loads_s = about(rng, 5, min(10 * MINUTE, period_s / 2))
    within = (times + rng.uniform() * period_s) % period_s
    return np.floor(about(rng, 100, 1e6) * np.where(within < loads_s, within / loads_s, 0.0))


def bursts(rng: Generator, times: Times) -> Times:
    """Traffic that is 2 to 20 times as high for 10 s to 10 minutes, now and then, up and down in a tenth of it."""
    level = np.full(len(times), about(rng, 5, 1e4))
    for begin in np.cumsum(rng.exponential(HOUR, 30)) + times[0] - HOUR:
        lasts_s, height = about(rng, 10, 600), about(rng, 2, 20)
        edge = np.clip(np.minimum(times - begin, begin + lasts_s - times) / (lasts_s / 10), 0.0, 1.0)
        level *= 1.0 + (height - 1.0) * edge
    return rng.poisson(level).astype(float)


def warm_up(rng: Generator, times: Times) -> Times:
    """A memo of 10 to 100,000 values that comes to know them all: e-fold in 10 s to 3 hours from the start."""
    number, tau_s = int(about(rng, 10, 1e5)), about(rng, 10, 3 * HOUR)
    return np.searchsorted(np.sort(rng.exponential(tau_s, number)), times).astype(float)


def pool(rng: Generator, times: Times) -> Times:
    """Threads or connections, up to 4 to 100: as many as were ever needed at once."""
    load = np.exp(0.5 * wandering(rng, times, about(rng, 5, HOUR)))
    needed = rng.poisson(load * about(rng, 2, 50)) * np.minimum(times / about(rng, 1, 10 * MINUTE), 1.0)
    return np.minimum(np.maximum.accumulate(np.floor(needed)), about(rng, 4, 100) // 1)


def one_off(rng: Generator, times: Times) -> Times:
    """A table that is loaded within 0.5 s to a minute, at the start or some time later, and stays."""
    begin = rng.choice([0.0, about(rng, 1, DAY)])
    share = np.clip((times - begin) / about(rng, 0.5, 60), 0.0, 1.0)
    return np.floor(about(rng, 100, 1e6) * share) + about(rng, 1, 1000) // 1


def high_water(rng: Generator, times: Times) -> Times:
    """Memory that is never given back: the most there ever was of a load that wanders, and a little noise."""
    load = about(rng, 1e3, 1e5) * np.exp(rng.uniform(0.05, 0.3) * wandering(rng, times, about(rng, 5, HOUR)))
    return np.maximum.accumulate(load) // 1 + rng.integers(0, 20, len(times))


HEALTHY: dict[Callable[[Generator, Times], Times], int] = {
    still: 60,
    noise: 40,
    drifting: 20,
    walk: 5,
    day: 15,
    sawtooth: 20,
    batches: 5,
    bursts: 8,
    warm_up: 12,
    pool: 6,
    one_off: 5,
    high_water: 4,
}
"""The sorts of healthy series, and how many of each a process has."""

WAYS = ("attached", "attached, age unknown", "from the start")


@dataclass(frozen=True)
class Alarms:
    """What one series of one process-day came to."""

    sort: str
    way: str
    after_s: float
    """Since the first look; inf if there was no alarm."""


def first_alarm_s(times: Times, values: Times, age_s: float | None, limit: int | None = None) -> float:
    """When a probability of 0.5 is first reached.

    It is asked for at every new height only: between two heights nothing becomes more certain (a test of the
    model says so).
    """
    series = Series(age_s=age_s, limit=limit)
    height = -np.inf
    for now_s, value in zip((times - times[0]).tolist(), values.tolist(), strict=True):
        series.add(round(now_s * NS), value)
        if value > height:
            height = value
            if series.growth().probability >= 0.5:
                return float(now_s)
    return float(np.inf)


def looks(began_s: float) -> Times:
    """When a process is looked at in its day: every second for ten minutes, then every minute."""
    return began_s + np.concatenate((np.arange(0, SOON_S), np.arange(SOON_S, DAY, MINUTE)))


def process_day(way: str, seed: int) -> list[Alarms]:
    """Every series of one process, for a day."""
    rng = np.random.default_rng([WAYS.index(way), seed])
    began_s = rng.uniform(1, 10) if way == "from the start" else about(rng, 10 * MINUTE, 7 * DAY)
    age_s = None if way == "attached, age unknown" else began_s
    times = looks(began_s)
    return [
        Alarms(make.__name__, way, first_alarm_s(times, make(rng, times), age_s))
        for make, number in HEALTHY.items()
        for _ in range(number)
    ]
