"""What memprobe takes for itself: at 200,000 births and deaths of handles a second, and beside a service.

The storm comes from two threads of C inside a Python process, for ten seconds; once with the budget lifted as
far as it goes, and once with the default. What is told and what is counted as lost are all of it, as long as
nothing is shed (what is shed is not told one by one, and the report says so); at the end what memprobe holds
to be open must in any case be what the target sees in /proc/self/fd. The services run as they are, and are
measured when memprobe has had its first looks at their heaps. CPU time is that of memprobe and all its
children; memory the RSS of memprobe, and what they all take together with shared pages counted once (PSS).

Prints a table and writes bench/results/rate.md.

    --quick     seconds instead of minutes: does everything work?
    --check     end with 1 if memprobe takes more than it promises
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from pairing.process import WORKLOAD_TABLE, running
from pairing.usage import cpu_s, family, wait_until_attached

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "rate.md"
MEMPROBE = Path(sys.executable).with_name("memprobe")
SERVICE = HERE.parent / "examples" / "leaky_service.py"

EVENTS_PER_S = 200_000
STORM_S, STEADY_S = 10.0, 60.0

CALM_PCT = 15.0
"""What memprobe and its children take of a core once they have found their way about the target."""

EARLY_S = 40.0
"""Looks at a heap are close together in the first 30 s; that is paid back later, and no steady state."""

PATIENCE_S = 60.0
STORM_LIMITS = (100.0, 120.0)
STEADY_LIMITS = (5.0, 64.0)
"""Percent of one core, and MB."""

EVERYTHING = "100"
"""The largest budget that can be given."""


@dataclass(frozen=True)
class Row:
    """One scenario."""

    name: str
    limits: tuple[float, float]
    cpu_pct: float
    rss_mb: float
    pss_mb: float
    report: dict[str, Any]
    sent: int | None = None
    """Events that the target counted."""

    open_in_target: int | None = None

    @property
    def told(self) -> int:
        """Events that memprobe reports."""
        return int(self.report["evidence"]["events"])

    @property
    def lost(self) -> int:
        """Events that it counted as lost."""
        lost = self.report["evidence"]["lost"]
        return sum(count for name, count in lost.items() if "ring_full" in name or name == "program_skipped")

    @property
    def was_shed(self) -> bool:
        """Whether births and deaths were not told one by one for some time."""
        return any("polling" in sentence for sentence in self.invisible)

    @property
    def invisible(self) -> list[str]:
        """What it says that it did not see."""
        return [str(sentence) for sentence in self.report["evidence"]["invisible"]]

    @property
    def open(self) -> int:
        """What it holds to be open."""
        return sum(row["open"] for row in self.report["handles"])


class Watched:
    """A memprobe at work, and what it takes."""

    def __init__(self, pid: int, *options: str) -> None:
        command = [str(MEMPROBE), "attach", str(pid), "--json", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._begin: tuple[float, float] | None = None
        self.rss_mb = self.pss_mb = 0.0

    def settle(self) -> None:
        """Wait until everything is attached, and then until it has calmed down."""
        wait_until_attached(self._process.pid)
        end_s = time.monotonic() + PATIENCE_S
        while self.measure(1.0) > CALM_PCT:
            if time.monotonic() > end_s:
                raise SystemExit("memprobe does not calm down")
        self.forget()

    def forget(self) -> None:
        """Note the highest memory from now on."""
        self.rss_mb = self.pss_mb = 0.0

    def measure(self, seconds: float) -> float:
        """Percent of one core over some time; notes the highest memory."""
        begin_s, before_s = time.perf_counter(), cpu_s(self._process.pid)
        while time.perf_counter() - begin_s < seconds:
            time.sleep(0.1)
            self.rss_mb = max(self.rss_mb, psutil.Process(self._process.pid).memory_info().rss / 1e6)
            self.pss_mb = max(self.pss_mb, self._pss_mb())
        return (cpu_s(self._process.pid) - before_s) / (time.perf_counter() - begin_s) * 100

    def _pss_mb(self) -> float:
        """What the processes share counts once."""
        total = 0.0
        for one in family(self._process.pid):
            try:
                total += one.memory_full_info().pss
            except psutil.Error:
                continue
        return total / 1e6

    def report(self) -> dict[str, Any]:
        """End it."""
        self._process.send_signal(signal.SIGINT)
        output, _ = self._process.communicate(timeout=60)
        document = json.loads(output)
        assert isinstance(document, dict)
        return document

    def kill(self) -> None:
        """If it still runs."""
        self._process.kill()
        self._process.wait()


@contextmanager
def watched(pid: int, *options: str) -> Iterator[Watched]:
    """Attach until the end of the block."""
    found = Watched(pid, *options)
    try:
        found.settle()
        yield found
    finally:
        found.kill()


def storm(name: str, seconds: float, *options: str) -> Row:
    """The storm, and the truth of who made it."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "storm.so"
        source = HERE / "workloads" / "storm.c"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-pthread", "-o", library, source], check=True)
        command = [sys.executable, str(HERE / "workloads" / "storm.py"), str(library)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target:
            assert target.stdin is not None
            assert target.stdout is not None
            target.stdout.readline()
            with watched(target.pid, *options) as found:
                target.stdin.write(f"{EVENTS_PER_S} {seconds}\n")
                target.stdin.flush()
                cpu_pct = found.measure(seconds)
                truth = json.loads(target.stdout.readline())
                report = found.report()
            target.stdin.close()
    return Row(
        name, STORM_LIMITS, cpu_pct, found.rss_mb, found.pss_mb, report, truth["events"], truth["open"]
    )


def steady(name: str, pid: int, seconds: float) -> Row:
    """Beside a program that goes about its business."""
    with watched(pid) as found:
        found.measure(EARLY_S if seconds >= STEADY_S else 0.0)
        found.forget()
        cpu_pct = found.measure(seconds)
        return Row(name, STEADY_LIMITS, cpu_pct, found.rss_mb, found.pss_mb, found.report())


def services(seconds: float) -> Iterator[Row]:
    """The demo's service, and the workloads of overhead.py."""
    with subprocess.Popen([sys.executable, str(SERVICE)], stdout=subprocess.PIPE) as service:
        try:
            assert service.stdout is not None
            service.stdout.readline()
            yield steady("the demo's leaking service", service.pid, seconds)
        finally:
            service.kill()
    for workload in WORKLOAD_TABLE:
        if not workload.needs or find_spec(workload.needs):
            with running(workload) as found:
                yield steady(f"{workload.name}, busy", found.pid, seconds)


def table(rows: list[Row]) -> Iterator[str]:
    """The rows as a Markdown table."""
    heads = ["CPU % of a core", "RSS MB", "PSS MB", "limits", "events sent", "told"]
    heads += ["lost, counted", "repaired", "shed"]
    yield f"| scenario | {' | '.join(heads)} | open: told, true |"
    yield "|---|---:|---:|---:|---|---:|---:|---:|---:|---|---|"
    for row in rows:
        sent = "" if row.sent is None else f"{row.sent:,}"
        open_now = "" if row.open_in_target is None else f"{row.open}, {row.open_in_target}"
        limits = f"{row.limits[0]:.0f} %, {row.limits[1]:.0f} MB"
        cells = [
            f"{row.cpu_pct:.1f}",
            f"{row.rss_mb:.0f}",
            f"{row.pss_mb:.0f}",
            limits,
            sent,
            f"{row.told:,}",
            f"{row.lost:,}",
        ]
        cells += [f"{row.report['evidence']['repaired']:,}", "yes" if row.was_shed else "no"]
        yield f"| {row.name} | {' | '.join(cells)} | {open_now} |"


def broken_promises(rows: list[Row]) -> Iterator[str]:
    """Where memprobe takes more than it says, or says something else than the target."""
    for row in rows:
        if row.cpu_pct > row.limits[0]:
            yield f"{row.name}: {row.cpu_pct:.1f} % of a core"
        if row.rss_mb > row.limits[1]:
            yield f"{row.name}: {row.rss_mb:.0f} MB"
        if row.open_in_target is not None and row.open != row.open_in_target:
            yield f"{row.name}: {row.open} open, not {row.open_in_target}"
        if row.sent is not None and not row.was_shed and row.told + row.lost < row.sent:
            yield f"{row.name}: {row.sent - row.told - row.lost} events are not accounted for"


def main(arguments: list[str]) -> int:
    """Measure, print, write."""
    if os.geteuid():
        print("run as root: without BPF there is nothing to measure", file=sys.stderr)
        return 1
    quick = "--quick" in arguments
    storm_s, steady_s = (2.0, 3.0) if quick else (STORM_S, STEADY_S)
    rows = [
        storm("200,000 events/s, budget lifted", storm_s, "--max-overhead", EVERYTHING),
        storm("200,000 events/s, default budget", storm_s),
        *services(steady_s),
    ]
    lines = "\n".join(table(rows))
    print(lines)
    if not quick:
        where = f"Kernel {platform.release()}, CPython {platform.python_version()}, {os.cpu_count()} CPUs."
        RESULTS.write_text(
            f"# What memprobe takes for itself\n\nWritten by `bench/rate.py`. {where}\n\n{lines}\n"
        )
    broken = list(broken_promises(rows))
    print("\n".join(broken))
    return 1 if broken and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
