"""How long memprobe takes to start, beside `python -c pass` on the same machine.

The commands take turns (A B C A B C ...), so that a slow moment of the machine hits all
of them; the ratio is the median of the ratios within a turn. Prints a table and writes
bench/results/startup.md. `--check` ends with 1 if a median is over its limit.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TURNS = 25
RESULTS = Path(__file__).resolve().parent / "results" / "startup.md"
MEMPROBE = Path(sys.executable).with_name("memprobe")
BASELINE = "python -c pass"


@dataclass(frozen=True)
class Scenario:
    """One command line, and what it may take."""

    name: str
    command: list[str]
    limit_s: float | None


def scenarios(pid: int) -> list[Scenario]:
    """What is measured; the baseline first. The limits are the project's promises."""
    python, memprobe = sys.executable, str(MEMPROBE)
    return [
        Scenario(BASELINE, [python, "-c", "pass"], None),
        Scenario("python -c 'import memprobe'", [python, "-c", "import memprobe"], 0.06),
        Scenario("memprobe --help", [memprobe, "--help"], 0.15),
        Scenario("memprobe inspect PID", [memprobe, "inspect", str(pid)], 0.4),
        Scenario("memprobe inspect --stacks PID", [memprobe, "inspect", "--stacks", str(pid)], 0.4),
        Scenario("memprobe inspect --json PID", [memprobe, "inspect", "--json", str(pid)], 0.4),
        Scenario("memprobe doctor", [memprobe, "doctor"], None),
    ]


@contextmanager
def target() -> Iterator[int]:
    """The pid of the demo's service, a few thousand objects into its leaks."""
    service = Path(__file__).resolve().parent.parent / "examples" / "leaky_service.py"
    with subprocess.Popen([sys.executable, service], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def run_once(command: list[str]) -> tuple[float, float]:
    """(wall, CPU) seconds of one run, from start to exit; its children's CPU time counts too."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, cpu


def measure(chosen: list[Scenario]) -> dict[str, list[tuple[float, float]]]:
    """The runs by scenario; the first turn warms the page cache and is not counted."""
    runs: dict[str, list[tuple[float, float]]] = {scenario.name: [] for scenario in chosen}
    for turn in range(TURNS + 1):
        for scenario in chosen:
            taken = run_once(scenario.command)
            if turn:
                runs[scenario.name].append(taken)
    return runs


def table(chosen: list[Scenario], runs: dict[str, list[tuple[float, float]]]) -> Iterator[str]:
    """The results as a Markdown table."""
    yield "| command | median ms | 90 % below | CPU ms | x `python -c pass` | limit ms |"
    yield "|---|---:|---:|---:|---:|---:|"
    for scenario in chosen:
        walls = [wall for wall, _ in runs[scenario.name]]
        cpu = statistics.mean(cpu for _, cpu in runs[scenario.name])  # the kernel counts in ticks of 10 ms
        ratio = statistics.median(wall / base for wall, (base, _) in zip(walls, runs[BASELINE], strict=True))
        limit = "" if scenario.limit_s is None else f"{scenario.limit_s * 1000:.0f}"
        median, high = statistics.median(walls), statistics.quantiles(walls, n=10)[-1]
        cells = [median * 1000, high * 1000, cpu * 1000]
        yield f"| `{scenario.name}` | {' | '.join(f'{cell:.1f}' for cell in cells)} | {ratio:.1f} | {limit} |"


def too_slow(chosen: list[Scenario], runs: dict[str, list[tuple[float, float]]]) -> list[str]:
    """The scenarios whose median is over the limit."""
    return [
        scenario.name
        for scenario in chosen
        if scenario.limit_s is not None
        and statistics.median(wall for wall, _ in runs[scenario.name]) > scenario.limit_s
    ]


def main(arguments: list[str]) -> int:
    """Measure, print, write."""
    with target() as pid:
        chosen = scenarios(pid)
        runs = measure(chosen)
    lines = "\n".join(table(chosen, runs))
    where = f"CPython {platform.python_version()}, {os.cpu_count()} cores, {TURNS} turns."
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"# Start-up\n\nWritten by `bench/startup.py`. {where}\n\n{lines}\n")
    print(lines)
    slow = too_slow(chosen, runs)
    if slow:
        print(f"over the limit: {', '.join(slow)}")
    return 1 if slow and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
