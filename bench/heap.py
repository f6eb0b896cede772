"""How fast a heap is read: memprobe from outside, others inside, on the same heap in the same run.

A census counts and measures every object by type. The others do what they can: guppy3's heap() sees what is
reachable, gc.get_objects() only what the collector watches; the dump is what PyHeap has its target do. They
stop the program as long as they take, memprobe does not. Each heap is looked at twice: fresh, and aged by
random deaths and births. Prints tables and writes bench/results/heap.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "heap.md"
KINDS = ("fresh", "aged")
TOOLS = {
    "gc": "`Counter(map(type, gc.get_objects()))` inside",
    "guppy": "guppy3 `hpy().heap()` inside",
    "muppy": "pympler `muppy` and `summary` inside",
    "asizeof": "pympler `asizeof` inside",
    "dump": "a dump as PyHeap makes it, inside",
}
LEAK_DURATION_S = 60


class Program:
    """The program with the heap."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the program {self.process.args!r} has ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, tool: str) -> dict[str, Any]:
        """Have it run a tool on itself."""
        assert self.process.stdin is not None
        self.process.stdin.write(tool + "\n")
        self.process.stdin.flush()
        return self.line()


@contextmanager
def program(objects: int, kind: str) -> Iterator[Program]:
    """A heap of so many objects, until the end of the block."""
    command = [sys.executable, str(HERE / "workloads" / "object_heap.py"), str(objects), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = Program(process)
            found.line()
            yield found
        finally:
            process.kill()


def look(kind: str, pid: int) -> dict[str, Any]:
    """One look of memprobe, in a process of its own."""
    command = [sys.executable, str(HERE / "looking" / "at_heap.py"), kind, str(pid)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def memprobe_row(kind: str, when: str, census: dict[str, Any]) -> str:
    """The median of several walks."""
    seconds, cpu_s = statistics.median(census["seconds"]), statistics.median(census["cpu_s"])
    fastest, slowest = min(census["seconds"]), max(census["seconds"])
    speed, cpu_speed = (census["objects"] / taken / 1e6 for taken in (seconds, cpu_s))
    return (
        f"| {kind} | **memprobe census**, {when} ({fastest:.3f} to {slowest:.3f} s; "
        f"{census['peak_mb']:.0f} MB) | {census['objects']:,} | {seconds:.3f} | {cpu_s:.3f} | {speed:.1f} "
        f"| {cpu_speed:.1f} | | |"
    )


def tool_row(kind: str, tool: str, found: dict[str, Any], census: dict[str, float]) -> str:
    """One of the others."""
    if "missing" in found:
        return f"| {kind} | {TOOLS[tool]}: {found['missing']} | | | | | | | |"
    speed, cpu_speed = (found["objects"] / found[taken] / 1e6 for taken in ("seconds", "cpu_s"))
    times, cpu_times = (found[taken] / census[taken] for taken in ("seconds", "cpu_s"))
    return (
        f"| {kind} | {TOOLS[tool]} | {found['objects']:,} | {found['seconds']:.3f} | {found['cpu_s']:.3f} "
        f"| {speed:.2f} | {cpu_speed:.2f} | {times:.1f} | {cpu_times:.1f} |"
    )


def census_rows(objects: int, kind: str, tools: Sequence[str]) -> Iterator[str]:
    """One heap, looked at by everybody in turn."""
    with program(objects, kind) as running:
        before = look("census", running.process.pid)
        inside = {tool: running.run(tool) for tool in tools}
        after = look("census", running.process.pid)
    yield memprobe_row(kind, "before the others", before)
    census = {taken: statistics.median(before[taken] + after[taken]) for taken in ("seconds", "cpu_s")}
    for tool, found in inside.items():
        yield tool_row(kind, tool, found, census)
    yield memprobe_row(kind, "after them", after)


def census_table(objects: int, tools: Sequence[str]) -> Iterator[str]:
    """The census beside the others."""
    yield "## Census\n"
    yield (
        "Objects tracked and untracked, their types, both sizes: the median of walks (fastest to slowest, "
        "peak of memprobe's memory). On a busy machine CPU seconds are the fairer ones. What the others see "
        "differs: gc only what the collector watches; guppy3 leaves a dictionary behind for every instance.\n"
    )
    yield (
        "| heap | who | objects seen | seconds | CPU s | M objects/s | M objects/CPU s "
        "| x memprobe's seconds | x its CPU s |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for kind in KINDS:
        yield from census_rows(objects, kind, tools)


def graph_table(objects: int) -> Iterator[str]:
    """Graph and dominators of a larger heap."""
    yield "\n## Graph and dominators\n"
    yield "Bytes per object are memprobe's own, at the highest: its arrays, and its whole process.\n"
    yield (
        "| heap | objects | edges | graph s | counts s | dominators s | retained s | garbage s "
        "| graph to retained s | arrays B | process B |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for kind in KINDS:
        with program(objects, kind) as running:
            found = look("graph", running.process.pid)
        seconds = found["seconds"]
        steps = ("graph", "counts", "dominators", "retained")
        cells = " | ".join(f"{seconds[step]:.2f}" for step in (*steps, "garbage"))
        total = sum(seconds[step] for step in steps)
        yield (
            f"| {kind} | {found['objects']:,} | {found['edges']:,} | {cells} | **{total:.2f}** "
            f"| {found['array_bytes_per_object']:.0f} | {found['process_bytes_per_object']:.0f} |"
        )


def command_table(objects: int) -> Iterator[str]:
    """The whole command, beside the same on a program with next to nothing."""
    yield "\n## Memory of the command\n"
    yield "The peak of the process that reads for `memprobe heap PID`, less that for an empty program.\n"
    yield "| heap | command | objects | seconds | peak MB | empty MB | **bytes per object** (limit 80) |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for command, options in (("command", "heap PID"), ("difference", "heap PID --diff 1")):
        with program(0, "fresh") as running:
            empty = look(command, running.process.pid)
        for kind in KINDS:
            with program(objects, kind) as running:
                found = look(command, running.process.pid)
            ratio = (found["peak_kb"] - empty["peak_kb"]) * 1024 / (found["objects"] - empty["objects"])
            yield (
                f"| {kind} | `{options}` | {found['objects']:,} | {found['seconds']:.2f} "
                f"| {found['peak_kb'] / 1024:.0f} | {empty['peak_kb'] / 1024:.0f} | **{ratio:.1f}** |"
            )


def sample_table(objects: int) -> Iterator[str]:
    """A part of a very large heap."""
    with program(objects, "large") as running:
        found = look("sample", running.process.pid)
    yield "\n## Sampled census, 1/64\n"
    yield "Opening the heap included. The last column: in how many turns the interval had the true count.\n"
    yield "| heap GiB | objects | seconds | slowest | CPU s | whole census s | memory MB | true inside |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    seconds, cpu_s = statistics.median(found["seconds"]), statistics.median(found["cpu_s"])
    yield (
        f"| {found['heap_gb']:.1f} | {found['objects']:,} | **{seconds:.3f}** | {max(found['seconds']):.3f} "
        f"| {cpu_s:.3f} | {found['census_s']:.2f} | {found['peak_mb']:.0f} "
        f"| {found['inside']} of {found['turns']} |"
    )


def leak_table(objects: int) -> Iterator[str]:
    """A leak of a hundred objects a second beside many others."""
    with program(objects, "fresh") as running:
        running.run("leak")
        census = look("census", running.process.pid)
        report = attach(running.process.pid)
    found = next((one for one in report["findings"] if one["holder"].endswith("SESSIONS")), None)
    after, title = (f"{found['detected_after_s']:.0f}", found["title"]) if found else ("never", "")
    overhead = report["overhead"]
    cpu_s = overhead["profiler_cpu_pct"] / 100 * report["window"]["duration_s"]
    yield "\n## A leak of 100 objects a second in a large heap\n"
    yield f"`memprobe attach --duration {LEAK_DURATION_S}`.\n"
    yield (
        "| objects | found after s | what | memprobe's CPU s | its memory MB, at most "
        "| slows the program by % (budget) |"
    )
    yield "|---:|---:|---|---:|---:|---:|"
    yield (
        f"| {census['objects']:,} | **{after}** (limit 30) | {title} | {cpu_s:.0f} "
        f"| {overhead['profiler_rss_peak_mb']:.0f} | {overhead['target_slowdown_pct']} "
        f"({overhead['budget_pct']:g}) |"
    )
    yield "\nWhat the report says that it did not see:\n"
    yield from (f"- {sentence}" for sentence in report["evidence"]["invisible"])


def attach(pid: int) -> dict[str, Any]:
    """The report of a run."""
    command = [sys.executable, "-m", "memprobe.cli", "attach", str(pid), "--no-learn", "--json"]
    command += ["--duration", str(LEAK_DURATION_S)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, default=1_000_000, help="of the heap for the census")
    parser.add_argument("--graph-objects", type=int, default=5_110_000, help="of the heap for the graph")
    parser.add_argument("--tool", action="append", choices=TOOLS, help="only these besides memprobe")
    parser.add_argument("--sample-objects", type=int, default=8_000_000, help="of half a KiB each")
    parser.add_argument(
        "--only",
        choices=("census", "graph", "command", "sample", "leak"),
        help="one of the tables; in the results it takes the place of the one before",
    )
    parser.add_argument("--leak-objects", type=int, default=22_000_000, help="of the heap with the leak")
    return parser.parse_args(arguments)


def tables(options: argparse.Namespace) -> Iterator[Iterator[str]]:
    """Yield the tables that are wanted, each being made as it is read."""
    wanted: dict[str, Callable[[], Iterator[str]]] = {
        "census": lambda: census_table(options.objects, options.tool or list(TOOLS)),
        "graph": lambda: graph_table(options.graph_objects),
        "command": lambda: command_table(options.objects * 3 // 2),
        "sample": lambda: sample_table(options.sample_objects),
        "leak": lambda: leak_table(options.leak_objects),
    }
    yield from (make() for name, make in wanted.items() if options.only in (None, name))


def sections(page: str) -> dict[str, str]:
    """The parts of a page by their headings."""
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}" for part in parts}


def main(arguments: Sequence[str]) -> None:
    """Measure, print, write."""
    options = options_of(arguments)
    busy_before = os.getloadavg()[0]
    found = sections(RESULTS.read_text(encoding="utf-8")) if options.only else {}
    for table in tables(options):
        text = "\n".join(table).strip()
        print(text, flush=True)
        load = f"load average {busy_before:.1f} before, {os.getloadavg()[0]:.1f} after"
        where = f"CPython {platform.python_version()}, {os.cpu_count()} cores, {load}."
        found |= sections(f"\n{text}\n\n{where}")
    page = "\n\n".join(("# Reading a heap", "Written by `bench/heap.py`.", *found.values()))
    RESULTS.write_text(f"{page}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
