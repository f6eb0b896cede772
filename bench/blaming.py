"""What blame is worth under load: a million inserts a second, and one survivor among thousands.

    inserts   a list is filled as fast as its program can, from three lines with known shares; the program
              counts its rounds itself, in stretches of 10 s with and without watchpoints on the list by turns
    bursts    the same without debug registers, on a program that fills six containers as fast as it can
    churn     of ten thousand objects of one size class one stays, from one of 51 lines; sampled under the
              budget until its line is first, and on to the end

Prints tables and, of all parts, writes bench/results/blaming.md. Alone on the machine, please.
"""

from __future__ import annotations

import argparse
import errno
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest.mock import patch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from memprobe.heap.seeking import seek  # noqa: E402
from memprobe.ledger.insertions import Filled  # noqa: E402
from memprobe.native.bpf import BpfError  # noqa: E402
from memprobe.session.blaming import BlameOptions, Blaming, blaming  # noqa: E402
from memprobe.session.surviving import Surviving, surviving  # noqa: E402
from memprobe.sources.kernel.programs import Programs  # noqa: E402
from memprobe.views.births_report import Born  # noqa: E402
from memprobe.vocab.stack import own_frame  # noqa: E402
from programs import Target  # noqa: E402  the interpreters are known in tests/pythons.py
from pythons import own  # noqa: E402

RESULTS = HERE / "results" / "blaming.md"
TARGETS = HERE.parent / "tests" / "targets"
BUDGET_PCT = 1.0
STRETCH_S = 10.0
"""Over which the budget is to hold."""

SHARES = {"often": 0.6, "sometimes": 0.3, "seldom": 0.1}
SHARES_BY_TURNS = {"often": 0.6, "seldom": 0.4, "taking": 0.0}


@dataclass(frozen=True, slots=True)
class Inserts:
    """One run: stretches without watchpoints, and with them, by turns."""

    rates: list[tuple[float, float]]
    """Inserts in a second of CPU time in each pair of stretches: alone, and watched."""

    worst_points: float
    """By how much the worst share is off."""

    @property
    def slower_pct(self) -> list[float]:
        """What the program lost in each pair by its own count; in order."""
        return sorted(100 * (1 - watched / alone) for alone, watched in self.rates)


def done(target: Target) -> tuple[int, int]:
    """How many inserts the program has made, and how long it has run: others want its CPU, too."""
    threads = Path(f"/proc/{target.pid}/task").iterdir()
    cpu_ns = sum(int((one / "schedstat").read_text().split()[0]) for one in threads)
    return int(target.ask("?").split()[0]), cpu_ns


def rate(target: Target, work: Callable[[], None]) -> float:
    """Inserts in a second of the program's CPU time, traps among it, while something else is done."""
    before = done(target)
    work()
    after = done(target)
    return (after[0] - before[0]) / (after[1] - before[1]) * 1e9


def for_so_long(seconds: float) -> Callable[[], bool]:
    """Says no once the time is up."""
    until_s = time.monotonic() + seconds
    return lambda: time.monotonic() < until_s


def shares(filled: Filled | None) -> dict[str, float]:
    """The part of each function in all that was put in."""
    flows = () if filled is None else filled.flows
    total = sum(flow.added_per_s for flow in flows) or 1.0
    found: dict[str, float] = {}
    for flow in flows:
        frame = own_frame(flow.site)
        name = "" if frame is None else frame.function.rpartition(".")[2]
        found[name] = found.get(name, 0.0) + flow.added_per_s / total
    return found


def worst_points(filled: Filled | None, truth: Mapping[str, float]) -> float:
    """By how many points the worst share is off."""
    found = shares(filled)
    return max(abs(found.get(name, 0.0) - share) * 100 for name, share in truth.items())


def inserts(
    seconds: float, runs: int, program: str, holder: str, truth: Mapping[str, float]
) -> Iterator[Inserts]:
    """Measure some runs, each on a program of its own, watched for so long in all."""
    for number in range(runs):
        with own().spawn(TARGETS / program, "0") as target:
            found = seek(target.pid, holder, lambda _: None)
            with blaming(target.pid, found, BlameOptions(BUDGET_PCT, seed=number)) as run:
                rates = [pair(target, run) for _ in range(round(seconds / STRETCH_S))]
                worst = max(worst_points(filled, truth) for _, _, filled in run.report().containers)
            yield Inserts(rates, worst)


def no_registers() -> AbstractContextManager[object]:
    """As in a virtual machine that has none to give."""
    return patch.object(Programs, "attach_watchpoint", side_effect=BpfError(errno.ENODEV, "No such device"))


def pair(target: Target, run: Blaming) -> tuple[float, float]:
    """A stretch in which nothing is armed, and one with watchpoints."""
    alone = rate(target, lambda: time.sleep(STRETCH_S))
    return alone, rate(target, lambda: run.run(for_so_long(STRETCH_S)))


@dataclass(frozen=True, slots=True)
class Churn:
    """One run on the program whose one line keeps what 50 others let go of."""

    first_s: float | None
    """From when on the line was first to the end; None if it was not."""

    traced: int
    caught: int
    of_line: int
    slowdown_pct: object


def lines_of(survivors: Sequence[Born]) -> list[str]:
    """The lines of what was found of the type in question, as they are ranked."""
    nodes = (one for one in survivors if one.type.endswith("Node"))
    frames = (own_frame(one.stack.frames) if one.stack is not None else None for one in nodes)
    return ["" if frame is None else str(frame.line) for frame in frames]


class Ranking:
    """Since when the right line is first."""

    def __init__(self, known: str) -> None:
        self._known = known
        self._begin_s = self._looked_s = time.monotonic()
        self.first_s: float | None = None

    def look(self, run: Surviving) -> None:
        """Look once a second."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= 1.0:
            self._looked_s = now_s
            is_first = lines_of(run.report().survivors)[:1] == [self._known]
            self.first_s = (self.first_s or now_s - self._begin_s) if is_first else None


def churn(seconds: float, seed: int) -> Churn:
    """Sample for so long."""
    with own().spawn(HERE / "workloads" / "seldom_surviving.py") as target:
        with surviving(target.pid, BUDGET_PCT, seed) as run:
            ranking = Ranking(target.ready)
            run.run(for_so_long(seconds), ranking.look)
            report = run.report()
        caught = dict.fromkeys(lines_of(report.survivors), 0)
        nodes = [one.caught for one in report.survivors if one.type.endswith("Node")]
        for line, count in zip(lines_of(report.survivors), nodes, strict=True):
            caught[line] += count
        slowdown = report.overhead["target_slowdown_pct"]
        return Churn(ranking.first_s, report.traced, sum(nodes), caught.get(target.ready, 0), slowdown)


def inserts_table(rows: Sequence[Inserts]) -> Iterator[str]:
    """The table of the first part."""
    yield "| inserts (rounds) in a CPU second, alone | slower by (median) | from, to | worst share off by |"
    yield "|---:|---:|---:|---:|"
    for one in rows:
        slower = one.slower_pct
        yield (
            f"| {median(alone for alone, _ in one.rates):,.0f} | {median(slower):.2f} % "
            f"| {slower[0]:.2f} to {slower[-1]:.2f} % | {one.worst_points:.1f} points |"
        )


def churn_table(rows: Sequence[Churn]) -> Iterator[str]:
    """The table of the second part."""
    yield "| births traced | survivors caught | of the right line | first from | memprobe says |"
    yield "|---:|---:|---:|---:|---:|"
    for one in rows:
        first = "never" if one.first_s is None else f"{one.first_s:.0f} s"
        yield f"| {one.traced:,} | {one.caught} | {one.of_line} | {first} | {one.slowdown_pct} % |"


def sections(options: argparse.Namespace) -> Iterator[str]:
    """All that was asked for, as text; what is missed is told at the end."""
    if options.only in (None, "inserts"):
        rows = list(inserts(options.seconds, options.runs, "filling_fast.py", "__main__.KEPT", SHARES))
        head = f"## Inserts (watched for {options.seconds:g} s each, in stretches of {STRETCH_S:g} s)"
        yield "\n".join([head, "", *inserts_table(rows)])
    if options.only in (None, "bursts"):
        with no_registers():
            rows = list(
                inserts(options.seconds, options.runs, "filling_by_turns.py", "__main__.x_*", SHARES_BY_TURNS)
            )
        head = f"## Without debug registers ({options.seconds:g} s each; rounds of 30 inserts)"
        yield "\n".join([head, "", *inserts_table(rows)])
    if options.only in (None, "churn"):
        runs = [churn(options.seconds_of_churn, seed) for seed in range(options.runs)]
        yield "\n".join([f"## Churn ({options.seconds_of_churn:g} s each)", "", *churn_table(runs)])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seconds-of-churn", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("inserts", "bursts", "churn"))
    options = parser.parse_args()
    machine = f"CPython {platform.python_version()}, kernel {platform.release()}, {os.cpu_count()} CPUs"
    head = (
        f"# Blame under load\n\nWritten by `bench/blaming.py`. {machine}, a budget of {BUDGET_PCT:g} %. "
        f"Of others {os.getloadavg()[0]:.1f} wanted a CPU when it began.\n"
    )
    text = "\n\n".join([head.rstrip(), *sections(options)]) + "\n"
    print(text)
    if options.only is None:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
