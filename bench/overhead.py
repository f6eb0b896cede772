"""What a tool costs the program it observes, for memprobe and others, on the same workload in the same run.

Two processes of a workload run on one CPU, a few milliseconds each in turn, with their clients; one is
observed, in blocks without and with the tool in turn (A B A B ... A), its twin never. Each reports every half
second what it did and what CPU time that took, and what an operation cost is divided by what it cost the
twin in that half second: what the host does to the CPU (a factor of two from one second to the next on a
shared one) is divided out. What the tool costs the twin (tracepoints are those of the whole machine) is
measured apart, see pairing/toll.py, and added: the column "of that for all". The statistics are in
pairing/estimates.py. The row "nothing" is the harness measuring nothing: its interval is the noise.
CPU time has in it all that probes, traps and allocator hooks do in the program; it does not have the time
that an operation waits, nor what a tool does to the caches of both.
Prints tables and writes bench/results/overhead.md, a workload's table if no tool was left out.

    --quick            fewer and shorter blocks: does everything work?
    --pairs N          pairs per tool (16; a quarter of it for tools that cost tens of percents)
    --slices N         half seconds per block (4)
    --only TEXT        workloads and tools whose name contains this; may be repeated
    --check            end with 1 if memprobe is over its promise (median 1 %, upper bound 2 %)
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median

from pairing.estimates import Estimate, Slice, block_cost, estimate, slowdowns
from pairing.process import WORKLOAD_TABLE, Running, Workload, measured
from pairing.toll import Calls, least_s
from pairing.tools import Tool, ToolFailed, tools

RESULTS = Path(__file__).resolve().parent / "results" / "overhead.md"
WARM_UP_SLICES = 4
FAILURES_LIMIT = 5
"""Blocks in which a tool may die before it is given up."""

MEDIAN_LIMIT_PCT, UPPER_LIMIT_PCT = 1.0, 2.0


@dataclass(frozen=True)
class Row:
    """One tool on one workload."""

    tool: str
    missing: str = ""
    slowdown: Estimate | None = None
    toll_pct: float | None = None
    """What the tool costs programs that it does not observe; part of the slow-down."""

    told_pct: float | None = None
    """What the tool says itself, in per cent of the workload's CPU time."""

    tool_cpu_pct: float | None = None
    per_s: float = 0.0
    """Operations per second of the workload's CPU time without the tool."""

    pairs: int = 0

    died: int = 0
    """Blocks that were measured again because the tool did not live through them."""


@dataclass
class Blocks:
    """The slices of every block, with and without."""

    without: list[list[Slice]] = field(default_factory=list)
    with_tool: list[list[Slice]] = field(default_factory=list)
    calls_without_s: list[float] = field(default_factory=list)
    calls_with_tool_s: list[float] = field(default_factory=list)
    tool_cpu_pct: list[float] = field(default_factory=list)
    told_pct: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Why blocks with the tool were thrown away."""

    @property
    def toll_pct(self) -> float:
        """What the system calls of an operation cost more for everybody, of the least that one took."""
        if not self.calls_without_s:
            return 0.0
        operation_s = min(one.cpu_s / one.operations for block in self.without for one in block)
        return (min(self.calls_with_tool_s) - min(self.calls_without_s)) / operation_s * 100

    @property
    def slowdown(self) -> Estimate | None:
        """The difference to the twin, and what the twin has to pay itself."""
        free, used = ([block_cost(one) for one in side] for side in (self.without, self.with_tool))
        found = estimate(slowdowns(free, used))
        return None if found is None else found.plus(self.toll_pct)


class Pairs:
    """Measures one tool on one workload: A B A B ... A."""

    def __init__(self, target: Running, tool: Tool, calls: Calls | None, slices: int) -> None:
        self._target, self._tool, self._calls, self._slices = target, tool, calls, slices
        self.blocks = Blocks()

    def measure(self, pairs: int) -> Blocks:
        """Go on until there are so many pairs, or the tool has failed too often."""
        blocks = self.blocks
        self._without()
        while len(blocks.with_tool) < pairs and len(blocks.failures) < FAILURES_LIMIT:
            try:
                self._with_tool()
            except ToolFailed as failure:
                print(f"{self._tool.name}: {failure}", file=sys.stderr, flush=True)
                blocks.failures.append(str(failure))
                continue
            self._without()
        return blocks

    def _without(self) -> None:
        self.blocks.without.append(self._target.slices(self._slices))
        if self._calls is not None:
            self.blocks.calls_without_s.append(least_s(self._calls))

    def _with_tool(self) -> None:
        """Keep a block only if the tool has lived through it."""
        tool = self._tool
        tool.attach(self._target)
        try:
            time.sleep(tool.settle_s)
            begin, begin_s = time.perf_counter(), tool.cpu_s()
            used = self._target.slices(self._slices)
            elapsed, end_s = time.perf_counter() - begin, tool.cpu_s()
            calls_s = None if self._calls is None else least_s(self._calls)
        finally:
            tool.detach(self._target)
        self.blocks.with_tool.append(used)
        if calls_s is not None:
            self.blocks.calls_with_tool_s.append(calls_s)
        if begin_s is not None and end_s is not None:
            self.blocks.tool_cpu_pct.append((end_s - begin_s) / elapsed * 100)
        told_pct = tool.told_pct()
        if told_pct is not None:
            self.blocks.told_pct.append(told_pct)


Placing = Callable[[Workload], AbstractContextManager[Running]]


def row(workload: Workload, tool: Tool, pairs: int, slices: int, placing: Placing = measured) -> Row:
    """Run one tool on a fresh process of the workload; `placing` says where that and its twin run."""
    missing = tool.missing()
    if missing:
        return Row(tool.name, missing)
    with placing(workload) as target:
        target.slices(WARM_UP_SLICES)
        wanted = max(3, round(pairs * tool.pairs_share))
        calls = workload.calls() if workload.calls is not None else None
        blocks = Pairs(target, tool, calls, slices).measure(wanted)
    if len(blocks.failures) >= FAILURES_LIMIT:
        return Row(tool.name, f"it died in {len(blocks.failures)} blocks, at last: {blocks.failures[-1]}")
    free = [one for block in blocks.without for one in block]
    return Row(
        tool.name,
        slowdown=blocks.slowdown,
        toll_pct=blocks.toll_pct,
        told_pct=median(blocks.told_pct) if blocks.told_pct else None,
        tool_cpu_pct=mean(blocks.tool_cpu_pct) if blocks.tool_cpu_pct else None,
        per_s=median(one.operations / one.cpu_s for one in free),
        pairs=len(blocks.with_tool),
        died=len(blocks.failures),
    )


def cell(found: Estimate | None) -> str:
    """A median and its interval."""
    return "" if found is None else f"{found.median:+.2f} ({found.low:+.2f} … {found.high:+.2f})"


def number(value: float | None, digits: int) -> str:
    """Nothing where nothing is known."""
    return "" if value is None else f"{value:.{digits}f}"


def table(workload: Workload, rows: Sequence[Row]) -> Iterator[str]:
    """One workload as a Markdown table."""
    yield f"## {workload.name}\n"
    heads = ["tool", "slow-down % (95 %)", "of that for all", "its own account %", "tool's CPU %"]
    yield f"| {' | '.join(heads)} | {workload.unit}s per CPU s without | pairs |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for one in rows:
        if one.missing:
            yield f"| {one.tool} | not run: {one.missing} | | | | | |"
            continue
        died = f" (died in {one.died} more blocks)" if one.died else ""
        cells = [f"{one.tool}{died}", cell(one.slowdown), number(one.toll_pct, 2), number(one.told_pct, 2)]
        cells += [number(one.tool_cpu_pct, 1), f"{one.per_s:,.0f}", str(one.pairs)]
        yield f"| {' | '.join(cells)} |"


def broken_promises(workload: Workload, rows: Sequence[Row]) -> Iterator[str]:
    """Where memprobe costs more than it says."""
    for one in rows:
        if not one.tool.startswith("memprobe") or one.slowdown is None:
            continue
        if one.slowdown.median > MEDIAN_LIMIT_PCT or one.slowdown.high > UPPER_LIMIT_PCT:
            limits = f"{MEDIAN_LIMIT_PCT} ({UPPER_LIMIT_PCT}) %"
            yield f"{workload.name}: {one.tool} {cell(one.slowdown)} % is over {limits}"


def chosen(names: Sequence[str], only: Sequence[str]) -> list[bool]:
    """Which names are meant: all, if `only` matches none of them."""
    hits = [any(text.lower() in name.lower() for text in only) for name in names]
    return hits if any(hits) else [True] * len(names)


def run(options: argparse.Namespace) -> list[str]:
    """Everything; what there is so far is written after each workload. Returns broken promises."""
    broken: list[str] = []
    every = tools()
    are_wanted = chosen([tool.name for tool in every], options.only)
    hits = chosen([workload.name for workload in WORKLOAD_TABLE], options.only)
    for workload in (one for one, hit in zip(WORKLOAD_TABLE, hits, strict=True) if hit):
        if workload.needs and find_spec(workload.needs) is None:
            print(f"{workload.name}: not run: pip install {workload.needs}", file=sys.stderr)
            continue
        rows: list[Row] = []
        for tool in (tool for tool, is_wanted in zip(every, are_wanted, strict=True) if is_wanted):
            rows.append(row(workload, tool, options.pairs, options.slices))
            print(f"{workload.name}: {list(table(workload, rows))[-1]}", flush=True)
        broken += broken_promises(workload, rows)
        if all(are_wanted):
            write(RESULTS, workload.name, "\n".join(table(workload, rows)), options)
    return broken


def write(results: Path, name: str, table: str, options: argparse.Namespace) -> None:
    """Put a workload's table into a file; those of the others stay."""
    before = results.read_text(encoding="utf-8").split("\n## ")[1:] if results.exists() else []
    tables = {part.partition("\n")[0]: f"## {part.strip()}" for part in before}
    where = (
        f"CPython {platform.python_version()}, {os.cpu_count()} cores, pairs of blocks of "
        f"{options.slices / 2:g} s{', a quick run' if options.quick else ''}."
    )
    tables[name] = f"{table}\n\n{where}"
    body = "\n\n".join(tables[one.name] for one in WORKLOAD_TABLE if one.name in tables)
    head = f"# {results.stem.capitalize()}\n\nWritten by `bench/{results.stem}.py`."
    results.write_text(f"{head}\n\n{body}\n", encoding="utf-8")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--slices", type=int)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    options.pairs = options.pairs or (3 if options.quick else 16)
    options.slices = options.slices or (2 if options.quick else 4)
    return options


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    options = options_of(arguments)
    # By `finally`, so that no workload and no client stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broken = run(options)
    print(*broken, sep="\n")
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
