"""How often the growth model calls something healthy a leak, and how soon it calls a leak one.

Healthy: process-days of a service with about 200 series, of the sorts and in the numbers of
`simulating/healthy.py`, watched in the ways in `WAYS`: attached while it runs (for 10 minutes to 7 days
before), or from its start. An alarm is a confidence of 0.5 or more at any time. Alarms in the first ten
minutes are told apart: there is one such time in a run, however long it is.

Leaking: a leak of 1, 10, 100 a second, alone and on top of others that come and go, in young and in old
processes; the seconds until it is called one.

Prints the tables and writes bench/results/models.md.

    --days N    process-days in each of the ways (default 1000)
    --quick     a few: does everything work?
    --jobs N    processes at once (default 2)
    --check     end with 1 if there are more false alarms than promised
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from detection.intervals import poisson_upper
from memprobe.models.growth.needs import PIECES
from simulating.healthy import DAY, TYPICAL
from simulating.watching import SOON_S, Way, first_alarm_s

RESULTS = Path(__file__).resolve().parent / "results" / "models.md"

WAYS = (
    Way("attached"),
    Way("attached, read every 5 s", interval_s=5.0),
    Way("from the start", from_start=True),
)

PROMISED = 1.0
"""False alarms in 100 process-days of a process that was attached to."""

GROUPS = {
    "by chance": frozenset(sort.name for sort in TYPICAL if sort.by_chance),
    "all": frozenset(sort.name for sort in TYPICAL),
}

TRIES = 10
LONGEST_S = 7200.0
WANDER = 50
"""So many of 200 series do."""

Alarms = Counter[tuple[str, str, bool]]
"""By way, sort, and whether they came soon."""


@dataclass(frozen=True)
class Leak:
    """A leak, and where it is."""

    per_s: float
    level: int = 0
    """Of others that come and go."""

    interval_s: float = 1.0
    age_s: float = 2.0
    """Of the process at the first reading."""

    leaks_for_s: float = 2.0
    """At the first reading."""

    @property
    def where(self) -> str:
        """In words."""
        if self.level:
            return f"on {self.level:,} ± {self.level**0.5:.0f}"
        if self.age_s < SOON_S:
            return "alone"
        since = "its start" if self.leaks_for_s == self.age_s else f"{self.leaks_for_s:,.0f} s ago"
        return f"process {self.age_s:,.0f} s old, since {since}"


LEAKS = (
    *(Leak(per_s, level) for per_s in (1.0, 10.0, 100.0) for level in (0, 50, 1000)),
    *(Leak(per_s, interval_s=each_s) for per_s in (10.0, 100.0) for each_s in (2.5, 5.0, 10.0)),
    *(Leak(10.0, age_s=age_s, leaks_for_s=for_s) for age_s in (3600.0, DAY) for for_s in (age_s, 600.0)),
)


def process_day(task: tuple[Way, int]) -> Alarms:
    """Every series of one process for a day."""
    way, seed = task
    rng = np.random.default_rng([len(way.name), seed])
    began_s = way.began_s(rng)
    times = way.times(began_s)
    series = [(sort, sort.make(rng, times)) for sort in TYPICAL for _ in range(rng.poisson(sort.number))]
    among = sum(bool(np.ptp(values) >= PIECES) for _, values in series)
    alarms: Alarms = Counter()
    for sort, values in series:
        after_s = first_alarm_s(times, values, began_s, among, sort.alarming)
        if after_s < np.inf:
            alarms[way.name, sort.name, after_s < SOON_S] += 1
    return alarms


def detected_s(task: tuple[Leak, int]) -> float:
    """When a leak with a Poisson rate is called one."""
    leak, seed = task
    rng = np.random.default_rng([round(leak.per_s), leak.level, round(leak.interval_s * 10), seed])
    times = np.arange(0.0, LONGEST_S, leak.interval_s)
    before = rng.poisson(leak.per_s * leak.leaks_for_s)
    leaked = before + np.cumsum(rng.poisson(leak.per_s * np.diff(times, prepend=0.0)))
    return first_alarm_s(
        times, (leaked + rng.poisson(leak.level, len(times))).astype(float), leak.age_s, WANDER
    )


def healthy_table(days: int, alarms: Alarms) -> Iterator[str]:
    """A row for each sort: alarms soon / later in 100 process-days; and in 100 series."""
    ways = [way.name for way in WAYS]
    yield f"| sort | series | {' | '.join(ways)} | in 100 such series, {ways[0]} | {ways[-1]} |"
    yield "|---|---:|" + "---:|" * (len(WAYS) + 2)
    for sort in TYPICAL:
        cells = [_pair(days, alarms, way, {sort.name}) for way in ways]
        cells += [_share(_count(alarms, way, {sort.name}), days * sort.number) for way in (ways[0], ways[-1])]
        yield f"| {sort.name} | {sort.number:g} | {' | '.join(cells)} |"
    for name, sorts in GROUPS.items():
        number = sum(sort.number for sort in TYPICAL if sort.name in sorts)
        cells = [f"**{_pair(days, alarms, way, sorts)}**" for way in ways]
        yield f"| **{name}** | {number:g} | {' | '.join(cells)} | | |"
    yield f"| all, at most (95 %) | | {' | '.join(_at_most(days, alarms, way) for way in ways)} | | |"


def _count(alarms: Alarms, way: str, sorts: frozenset[str] | set[str], *soon: bool) -> int:
    return sum(alarms[way, sort, when] for sort in sorts for when in soon or (True, False))


def _pair(days: int, alarms: Alarms, way: str, sorts: frozenset[str] | set[str]) -> str:
    return " / ".join(_share(_count(alarms, way, sorts, soon), days) for soon in (True, False))


def _share(count: int, of: float) -> str:
    return f"{100 * count / of:.2g}" if count else "0"


def _at_most(days: int, alarms: Alarms, way: str) -> str:
    counts = (_count(alarms, way, GROUPS["all"], soon) for soon in (True, False))
    return " / ".join(f"{100 * poisson_upper(count) / days:.2g}" for count in counts)


def power_table(detected: dict[Leak, list[float]]) -> Iterator[str]:
    """A row for each leak: seconds until it is called one."""
    yield "| leak | read every | median | 9 of 10 within | leaked by then (median) |"
    yield "|---|---:|---:|---:|---:|"
    for leak, seconds in detected.items():
        median, most = (float(np.quantile(seconds, share, method="higher")) for share in (0.5, 0.9))
        leaked = f"{median * leak.per_s:,.0f}" if median < np.inf else "-"
        cells = (f"{leak.per_s:g}/s {leak.where}", f"{leak.interval_s:g} s", _s(median), _s(most), leaked)
        yield f"| {' | '.join(cells)} |"


def _s(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < np.inf else f"over {LONGEST_S:,.0f} s"


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run it; 1 if more was promised."""
    options = options_of(arguments)
    days, tries = (2, 3) if options.quick else (options.days, TRIES)
    alarms: Alarms = Counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(process_day, product(WAYS, range(days)), chunksize=4):
            alarms.update(found)
        detected = {
            leak: list(pool.map(detected_s, [(leak, seed) for seed in range(tries)])) for leak in LEAKS
        }
    text = report(days, alarms, detected, tries)
    print(text)
    if not options.quick:
        RESULTS.write_text(text)
    seen = _count(alarms, WAYS[0].name, GROUPS["all"])
    return int(options.check and 100 * seen / days > PROMISED)


def report(days: int, alarms: Alarms, detected: dict[Leak, list[float]], tries: int) -> str:
    """What is written to bench/results."""
    lines = [
        "# The growth model on simulated series",
        "",
        f"Written by `bench/models.py`: {days:,} process-days of about 200 healthy series in each of",
        f"{len(WAYS)} ways; each leak {tries} times.",
        f"numpy {np.__version__}, Python {platform.python_version()}.",
        "",
        "## Healthy: alarms in 100 process-days",
        "",
        "In the first ten minutes after the first reading / in the rest of the day. `docs/models.md` says",
        "where the numbers of series come from. The last two columns suppose nothing about them: of 100",
        "series of the sort, so many are ever called a leak in their day.",
        "",
        *healthy_table(days, alarms),
        "",
        "## Leaking: how soon",
        "",
        f"Among {WANDER} series that wander.",
        "",
        *power_table(detected),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
