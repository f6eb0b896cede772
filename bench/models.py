"""How often the growth model calls something healthy a leak, and how soon it calls a leak one.

Healthy: process-days of a service with 200 series of the sorts in `HEALTHY`, in the ways in `WAYS`: attached
while it runs (for 10 minutes to 7 days before), from its start, read every second or every five. After ten
minutes each is read once in five minutes. An alarm is a probability of 0.5 or more at any time, asked for
after every reading. Alarms in the first ten minutes are told apart: they are per attach, not per day.

Leaking: a leak of 1, 10, 100 a second, alone and on top of others that come and go; the seconds until it is
called one.

Prints the tables and writes bench/results/models.md.

    --days N    process-days in each of the ways (default 250)
    --quick     a few: does everything work?
    --jobs N    processes at once (default 2)
    --check     end with 1 if there are more false alarms than promised
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from memprobe.models.growth import Series
from memprobe.models.growth.needs import FALLS, PIECES

RESULTS = Path(__file__).resolve().parent / "results" / "models.md"
NS = 1_000_000_000
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

Times = NDArray[Any]
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
    counts: Times = about(rng, 1, 1e6) // 1 + np.searchsorted(changes, times)
    return counts


def noise(rng: Generator, times: Times) -> Times:
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


def sawtooth(rng: Generator, times: Times) -> Times:
    """A buffer that is flushed every 5 s to 2 h, not quite on time; garbage that awaits its collection."""
    period_s = about(rng, 5, 2 * HOUR)
    number = int((times[-1] - times[0]) / period_s) + 4
    flushed = times[0] - period_s * (1 + rng.uniform()) + np.cumsum(period_s * rng.uniform(0.9, 1.1, number))
    flushed = np.maximum(np.concatenate(([times[0] - period_s, 0.0], flushed)), 0.0)
    flushed.sort()
    since = times - flushed[np.searchsorted(flushed, times, side="right") - 1]
    piled_up: Times = np.floor(about(rng, 0.1, 1e3) * since)
    return piled_up + round(about(rng, 1, 1e4))


def batches(rng: Generator, times: Times) -> Times:
    """A job every 5 minutes to 3 hours that loads for 5 s to 10 minutes, and lets go of all of it."""
    period_s = about(rng, 5 * MINUTE, 3 * HOUR)
    loads_s = about(rng, 5, min(10 * MINUTE, period_s / 2))
    within = (times + rng.uniform() * period_s) % period_s
    return np.floor(about(rng, 100, 1e6) * np.where(within < loads_s, within / loads_s, 0.0))


def bursts(rng: Generator, times: Times) -> Times:
    """Traffic that is 2 to 20 times as high for 10 s to 10 minutes, now and then."""
    level = np.full(len(times), about(rng, 5, 1e4))
    for begin in np.cumsum(rng.exponential(HOUR, 30)) + times[0] - HOUR:
        lasts_s, height = about(rng, 10, 600), about(rng, 2, 20)
        edge = np.clip(np.minimum(times - begin, begin + lasts_s - times) / (lasts_s / 10), 0.0, 1.0)
        level *= 1.0 + (height - 1.0) * edge
    return rng.poisson(level).astype(float)


def warm_up(rng: Generator, times: Times) -> Times:
    """A memo that comes to know all its 10 to 100,000 values: e-fold in 10 s to 3 hours."""
    number, tau_s = int(about(rng, 10, 1e5)), about(rng, 10, 3 * HOUR)
    return np.searchsorted(np.sort(rng.exponential(tau_s, number)), times).astype(float)


def pool(rng: Generator, times: Times) -> Times:
    """Threads or connections, up to 4 to 100: as many as were ever needed at once."""
    load = np.exp(0.5 * wandering(rng, times, about(rng, 5, HOUR)))
    needed = rng.poisson(load * about(rng, 2, 50)) * np.minimum(times / about(rng, 1, 10 * MINUTE), 1.0)
    most: Times = np.maximum.accumulate(np.floor(needed))
    return np.minimum(most, about(rng, 4, 100) // 1)


def one_off(rng: Generator, times: Times) -> Times:
    """A table that is loaded within 0.5 s to a minute, at the start or some time later, and stays."""
    begin = rng.choice([0.0, about(rng, 1, DAY)])
    share = np.clip((times - begin) / about(rng, 0.5, 60), 0.0, 1.0)
    loaded: Times = np.floor(about(rng, 100, 1e6) * share)
    return loaded + round(about(rng, 1, 1000))


def high_water(rng: Generator, times: Times) -> Times:
    """Memory that is never given back: the most there ever was of a load that wanders, and a little noise."""
    load = about(rng, 1e3, 1e5) * np.exp(rng.uniform(0.05, 0.3) * wandering(rng, times, about(rng, 5, HOUR)))
    most: Times = np.maximum.accumulate(load) // 1
    return most + rng.integers(0, 20, len(times))


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

BY_CHANCE = frozenset({"still", "noise", "drifting", "walk", "day", "bursts", "pool", "high_water"})
"""Sorts that never grow on and on; the others do so for a while, and nothing but time or structure tells."""


@dataclass(frozen=True)
class Way:
    """How one comes to a process."""

    name: str
    from_start: bool = False
    age_known: bool = True
    interval_s: float = 1.0
    """Between two readings, for the first ten minutes."""

    def began_s(self, rng: Generator) -> float:
        """How long the process had been running at the first reading."""
        return rng.uniform(1, 10) if self.from_start else about(rng, 10 * MINUTE, 7 * DAY)

    def times(self, began_s: float) -> Times:
        """When it is read in its day."""
        return began_s + np.concatenate(
            (np.arange(0, SOON_S, self.interval_s), np.arange(SOON_S, DAY, 5 * MINUTE))
        )


WAYS = (
    Way("attached"),
    Way("attached, read every 5 s", interval_s=5.0),
    Way("attached, age unknown", age_known=False),
    Way("from the start", from_start=True),
)

PROMISED = 1.0
"""False alarms by chance in 100 process-days."""

NOISES = {"alone": 0, "on 50 ± 7": 50, "on 1,000 ± 32": 1000, "on 10,000 ± 100": 10_000}
RATES = (1.0, 10.0, 100.0)
INTERVALS_S = (1.0, 2.5, 5.0, 10.0)
LONGEST_S = 7200.0


def first_alarm_s(times: Times, values: Times, age_s: float | None) -> float:
    """When a probability of 0.5 is first reached, since the first reading; inf if never.

    It is asked for where it can be: above the first value by what a pool takes, and by three times the
    deepest fall so far (tests/models/test_growth.py says so).
    """
    series = Series(age_s=age_s)
    height, fall = -np.inf, 0.0
    for now_s, value in zip((times - times[0]).tolist(), values.tolist(), strict=True):
        series.add(round(now_s * NS), value)
        height = max(height, value)
        fall = max(fall, height - value)
        if value - values[0] >= max(PIECES, FALLS * fall) and series.growth().probability >= 0.5:
            return float(now_s)
    return float(np.inf)


def process_day(task: tuple[Way, int]) -> Counter[tuple[str, str, bool]]:
    """Every series of one process for a day: alarms by way, sort, and whether they came soon."""
    way, seed = task
    rng = np.random.default_rng([len(way.name), seed])
    began_s = way.began_s(rng)
    times = way.times(began_s)
    alarms: Counter[tuple[str, str, bool]] = Counter()
    for make, number in HEALTHY.items():
        for _ in range(number):
            after_s = first_alarm_s(times, make(rng, times), began_s if way.age_known else None)
            if after_s < np.inf:
                alarms[way.name, make.__name__, after_s < SOON_S] += 1
    return alarms


def detected_s(task: tuple[float, int, float, int]) -> float:
    """When a leak with a Poisson rate is called one."""
    per_s, level, interval_s, seed = task
    rng = np.random.default_rng([round(per_s), level, round(interval_s * 10), seed])
    times = np.arange(0.0, LONGEST_S, interval_s)
    leaked = np.searchsorted(np.cumsum(rng.exponential(1 / per_s, int(2 * LONGEST_S * per_s))), times)
    return first_alarm_s(times, leaked + rng.poisson(level, len(times)).astype(float), None)


def healthy_table(days: int, alarms: Counter[tuple[str, str, bool]]) -> Iterator[str]:
    """A row for each sort: alarms in the first ten minutes / later, in 100 process-days."""
    yield "| sort | series | " + " | ".join(way.name for way in WAYS) + " |"
    yield "|---|---:|" + "---:|" * len(WAYS)
    sorts = {make.__name__: number for make, number in HEALTHY.items()}
    groups = [("**by chance**", set(BY_CHANCE)), ("**all**", set(sorts))]
    for name, among in [*((name.replace("_", " "), {name}) for name in sorts), *groups]:
        number = sum(sorts[sort] for sort in among)
        cells = (_cell(days, [_count(alarms, way, among, soon) for soon in (True, False)]) for way in WAYS)
        yield f"| {name} | {number} | " + " | ".join(cells) + " |"


def _count(alarms: Counter[tuple[str, str, bool]], way: Way, sorts: set[str], soon: bool) -> int:
    return sum(alarms[way.name, sort, soon] for sort in sorts)


def _cell(days: int, counts: Sequence[int]) -> str:
    return " / ".join(f"{100 * count / days:.3g}" for count in counts)


def power_table(detected: dict[tuple[float, int, float], list[float]]) -> Iterator[str]:
    """A row for each leak: seconds until it is called one."""
    yield "| leak | read every | median | 9 of 10 within | leaked by then (median) |"
    yield "|---|---:|---:|---:|---:|"
    names = {level: name for name, level in NOISES.items()}
    for (per_s, level, interval_s), seconds in detected.items():
        median, most = (float(np.quantile(seconds, share, method="higher")) for share in (0.5, 0.9))
        leaked = f"{median * per_s:,.0f}" if median < np.inf else "-"
        yield f"| {per_s:g}/s {names[level]} | {interval_s:g} s | {_s(median)} | {_s(most)} | {leaked} |"


def _s(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < np.inf else f"over {LONGEST_S:,.0f} s"


def leaks() -> Iterator[tuple[float, int, float]]:
    """Rate, level of the others, and seconds between readings."""
    for per_s in RATES:
        yield from ((per_s, level, 1.0) for level in NOISES.values())
        yield from ((per_s, 0, interval_s) for interval_s in INTERVALS_S[1:])


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run it; 1 if more was promised."""
    options = options_of(arguments)
    days, tries = (2, 3) if options.quick else (options.days, 50)
    alarms: Counter[tuple[str, str, bool]] = Counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(process_day, [(way, seed) for way in WAYS for seed in range(days)]):
            alarms.update(found)
        detected = {
            leak: list(pool.map(detected_s, [(*leak, seed) for seed in range(tries)])) for leak in leaks()
        }
    text = report(days, alarms, detected, tries)
    print(text)
    if not options.quick:
        RESULTS.write_text(text)
    chance = max(_count(alarms, way, set(BY_CHANCE), soon=False) for way in WAYS)
    return int(options.check and chance * 100 / days > PROMISED)


def report(
    days: int,
    alarms: Counter[tuple[str, str, bool]],
    detected: dict[tuple[float, int, float], list[float]],
    tries: int,
) -> str:
    """What is written to bench/results."""
    lines = [
        "# The growth model on simulated series",
        "",
        f"Written by `bench/models.py`: {days:,} process-days of 200 healthy series in each of {len(WAYS)}",
        f"ways; each leak {tries} times. numpy {np.__version__}, Python {platform.python_version()}.",
        "",
        "## Healthy: alarms in 100 process-days",
        "",
        "In the first ten minutes after the first reading (so: in 100 attaches) / in the rest of the day.",
        f"None seen means less than {300 / days:.2g} (95 %).",
        "",
        *healthy_table(days, alarms),
        "",
        "## Leaking: how soon",
        "",
        *power_table(detected),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
