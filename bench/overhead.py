"""What a tool costs the program it observes, for memprobe and others, on the same workload in the same run.

For each workload and tool: blocks without and with the tool in turn (A B A B ... A) within one life of one
process, which reports its own rate every half second. A slow-down is how much longer an operation takes;
the statistics are in pairing/estimates.py. The row "nothing" is the harness measuring nothing: its interval
is the noise. Prints tables and writes bench/results/overhead.md.

    --quick            fewer and shorter blocks: does everything work?
    --pairs N          pairs per tool (12; a third of it for tools that cost tens of percents)
    --slices N         half seconds per block (6)
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pairing.estimates import Estimate, Slice, block_rate, estimate, slowdowns
from pairing.process import WORKLOAD_TABLE, Running, Workload, running
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
    wall: Estimate | None = None
    cpu: Estimate | None = None
    tool_cpu_pct: float | None = None
    per_s: float = 0.0
    """The workload's rate without the tool."""

    pairs: int = 0

    died: int = 0
    """Blocks that were measured again because the tool did not live through them."""


@dataclass
class Blocks:
    """The slices of every block, with and without."""

    without: list[list[Slice]]
    with_tool: list[list[Slice]]
    tool_cpu_pct: list[float]
    failures: list[str]
    """Why blocks with the tool were thrown away."""

    def estimated(self, per_cpu: bool) -> Estimate | None:
        """The slow-down by one of the two clocks."""
        free, used = ([block_rate(one, per_cpu) for one in side] for side in (self.without, self.with_tool))
        return estimate(slowdowns(free, used))


def measure(target: Running, tool: Tool, pairs: int, slices: int) -> Blocks:
    """A B A B ... A."""
    blocks = Blocks([target.slices(slices)], [], [], [])
    while len(blocks.with_tool) < pairs and len(blocks.failures) < FAILURES_LIMIT:
        try:
            used, cpu_pct = with_tool(target, tool, slices)
        except ToolFailed as failure:
            print(f"{tool.name}: {failure}", file=sys.stderr, flush=True)
            blocks.failures.append(str(failure))
            continue
        blocks.with_tool.append(used)
        blocks.tool_cpu_pct += cpu_pct
        blocks.without.append(target.slices(slices))
    return blocks


def with_tool(target: Running, tool: Tool, slices: int) -> tuple[list[Slice], list[float]]:
    """One block with the tool, and the CPU % that the tool took in it."""
    tool.attach(target)
    try:
        time.sleep(tool.settle_s)
        begin, cpu_s = time.perf_counter(), tool.cpu_s()
        used = target.slices(slices)
        end_s = tool.cpu_s()
    finally:
        tool.detach(target)
    if cpu_s is None or end_s is None:
        return used, []
    return used, [(end_s - cpu_s) / (time.perf_counter() - begin) * 100]


def row(workload: Workload, tool: Tool, pairs: int, slices: int) -> Row:
    """Run one tool on a fresh process of the workload."""
    missing = tool.missing()
    if missing:
        return Row(tool.name, missing)
    with running(workload) as target:
        target.slices(WARM_UP_SLICES)
        blocks = measure(target, tool, max(3, round(pairs * tool.pairs_share)), slices)
    if len(blocks.failures) >= FAILURES_LIMIT:
        return Row(tool.name, f"it died in {len(blocks.failures)} blocks, at last: {blocks.failures[-1]}")
    own = blocks.tool_cpu_pct
    rates = sorted(block_rate(one, per_cpu=False) for one in blocks.without)
    return Row(
        tool.name,
        wall=blocks.estimated(per_cpu=False),
        cpu=blocks.estimated(per_cpu=True),
        tool_cpu_pct=sum(own) / len(own) if own else None,
        per_s=rates[len(rates) // 2],
        pairs=len(blocks.with_tool),
        died=len(blocks.failures),
    )


def cell(found: Estimate | None) -> str:
    """A median and its interval."""
    return "" if found is None else f"{found.median:+.2f} ({found.low:+.2f} … {found.high:+.2f})"


def table(workload: Workload, rows: Sequence[Row]) -> Iterator[str]:
    """One workload as a Markdown table."""
    yield f"## {workload.name}\n"
    own, rate = "tool's CPU %", f"{workload.unit}s/s without"
    yield f"| tool | slow-down % (95 %) | by CPU time % (95 %) | {own} | {rate} | pairs |"
    yield "|---|---:|---:|---:|---:|---:|"
    for one in rows:
        if one.missing:
            yield f"| {one.tool} | not run: {one.missing} | | | | |"
        else:
            own = "" if one.tool_cpu_pct is None else f"{one.tool_cpu_pct:.1f}"
            died = f" (died in {one.died} more blocks)" if one.died else ""
            slowed = f"{cell(one.wall)} | {cell(one.cpu)}"
            yield f"| {one.tool}{died} | {slowed} | {own} | {one.per_s:,.0f} | {one.pairs} |"


def broken_promises(workload: Workload, rows: Sequence[Row]) -> Iterator[str]:
    """Where memprobe costs more than it says."""
    for one in rows:
        if not one.tool.startswith("memprobe") or one.wall is None:
            continue
        if one.wall.median > MEDIAN_LIMIT_PCT or one.wall.high > UPPER_LIMIT_PCT:
            limits = f"{MEDIAN_LIMIT_PCT} ({UPPER_LIMIT_PCT}) %"
            yield f"{workload.name}: {one.tool} {cell(one.wall)} % is over {limits}"


def chosen(names: Sequence[str], only: Sequence[str]) -> list[bool]:
    """Which names are meant: all, if `only` matches none of them."""
    hits = [any(text.lower() in name.lower() for text in only) for name in names]
    return hits if any(hits) else [True] * len(names)


def run(options: argparse.Namespace) -> list[str]:
    """Everything; what there is so far is written after each workload. Returns broken promises."""
    lines: list[str] = []
    broken: list[str] = []
    every = tools()
    wanted = [
        tool for tool, hit in zip(every, chosen([t.name for t in every], options.only), strict=True) if hit
    ]
    hits = chosen([workload.name for workload in WORKLOAD_TABLE], options.only)
    for workload in (one for one, hit in zip(WORKLOAD_TABLE, hits, strict=True) if hit):
        if workload.needs and find_spec(workload.needs) is None:
            lines += [f"## {workload.name}\n", f"Not run: pip install {workload.needs}\n"]
            continue
        rows: list[Row] = []
        for tool in wanted:
            rows.append(row(workload, tool, options.pairs, options.slices))
            print(f"{workload.name}: {list(table(workload, rows))[-1]}", flush=True)
        lines += [*table(workload, rows), ""]
        broken += broken_promises(workload, rows)
        write(lines, options)
    return broken


def write(lines: Sequence[str], options: argparse.Namespace) -> None:
    """The tables as a file."""
    where = (
        f"CPython {platform.python_version()}, {os.cpu_count()} cores, pairs of blocks of "
        f"{options.slices / 2:g} s{', a quick run' if options.quick else ''}."
    )
    RESULTS.parent.mkdir(exist_ok=True)
    body = "\n".join(lines)
    RESULTS.write_text(f"# Overhead\n\nWritten by `bench/overhead.py`. {where}\n\n{body}", encoding="utf-8")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--slices", type=int)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    options.pairs = options.pairs or (3 if options.quick else 12)
    options.slices = options.slices or (3 if options.quick else 6)
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
