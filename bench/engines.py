"""What each engine finds and costs: the corpus of detect.py watched with each.

Recall and precision are those of detect.py, of the same programs under each engine; the slow-down there is
what memprobe itself says. "proc, memory barred" is the engine proc where the memory of the process may not be
read, either: all that is left is /proc.
`--slow-down` measures what an engine costs a program with many handle events. A stop by a tracer is time, not
CPU time: so to that is added, other than in overhead.py, what the program neither ran nor waited for a CPU.
It has the first CPU, its twin, which says how fast CPUs are, the other one. The rest is as there.
Outcomes are kept in .cache/bench/engines, so that it can be run in pieces; writes bench/results/engines.md,
with what is to be said of them by hand (bench/results/engines-notes.md).

    --engine NAME      only this one; may be repeated
    --only PATTERN     the cases whose names match; may be repeated (without it, those of detect.py --quick)
    --jobs N           so many at a time
    --slow-down        measure only what they cost the file worker, beside its twin
    --pairs N          pairs of blocks with and without (16)
    --table            measure nothing: the table of what is kept
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from detect import run as runs_of  # noqa: E402  the interpreters are known in tests/pythons.py
from detect import told  # noqa: E402
from detection import scoring, tables  # noqa: E402
from detection.cases import Case, cases  # noqa: E402
from detection.watching import MEMPROBE, Outcome, Watch, read  # noqa: E402
from overhead import Row, cell, number, row  # noqa: E402
from pairing.estimates import Estimate, Slice  # noqa: E402
from pairing.process import WORKLOAD_TABLE, Running, Workload, running  # noqa: E402
from pairing.tools import Memprobe  # noqa: E402

RESULTS = HERE / "results" / "engines.md"
NOTES = HERE / "results" / "engines-notes.md"
SLICES = 10
"""Half seconds of a block: at least one window of a tracer is in it, and what follows that."""

KEPT = HERE.parent / ".cache" / "bench" / "engines"
BARRED = "proc, memory barred"
ENGINES = ("libbpf", "bcc", "ptrace", "proc", BARRED)
WITHOUT_MEMORY = """
import sys
from memprobe.errors import NotPermitted
from memprobe.target.memory.live import LiveMemory
def refused(self, target, pidfd): raise NotPermitted("no right to read the memory")
LiveMemory.__init__ = refused
from memprobe.cli import main
sys.exit(main())
"""


def command(engine: str) -> tuple[str, ...]:
    """The command of an engine, up to its subcommand."""
    return (sys.executable, "-c", WITHOUT_MEMORY) if engine == BARRED else (str(MEMPROBE),)


def options_of(engine: str) -> tuple[str, ...]:
    """What chooses it."""
    return "--engine", engine.partition(",")[0]


@dataclass(frozen=True)
class Engine:
    """What is kept of one."""

    name: str
    runs: list[scoring.Judged]

    def row(self) -> Iterator[str]:
        """Its row of the table; nothing where nothing was measured."""
        yield self.name
        if not self.runs:
            yield from [""] * (len(HEAD) - 1)
            return
        yield str(len(self.runs))
        score, alarms = scoring.score(self.runs), scoring.alarms(self.runs)
        yield tables.share(score.found, score.leaky)
        yield tables.share(*scoring.precision(self.runs))
        yield f"{score.place_first} of {score.found}"
        yield tables.number(score.seconds)
        yield f"{alarms.alarms} in {alarms.programs} programs"
        slowdown = scoring.median(self._told("target_slowdown_pct"))
        yield "" if slowdown is None else f"{slowdown:.2f}"
        yield tables.number(max(self._told("longest_pause_ms"), default=None))

    def _told(self, name: str) -> list[float]:
        """What memprobe said that it cost, run by run."""
        told = (run.outcome.overhead.get(name) for run in self.runs)
        return [float(value) for value in told if value is not None]


HEAD = (
    "engine",
    "programs",
    "leaks found (recall)",
    "findings that are right (precision)",
    "right place",
    "seconds to detect",
    "false alarms",
    "slow-down by its own account %, median",
    "longest stop ms",
)


def chosen(only: Sequence[str]) -> list[Case]:
    """The cases that are run."""
    if not only:
        return [case for case in cases() if case.quick]
    return [case for case in cases() if any(fnmatch.fnmatch(case.name, one) for one in only)]


def found(engine: str, wanted: Sequence[Case], jobs: int) -> None:
    """Watch the programs with an engine, and keep what it said."""
    how = Watch(options=options_of(engine), memprobe=command(engine))
    with _kept(engine).open("a") as file:
        for number, outcome in enumerate(runs_of(wanted, how, jobs), 1):
            print(outcome.as_json(), file=file, flush=True)
            for one in scoring.judge(wanted, [outcome]):
                print(f"{engine} {number}/{len(wanted)} {told(one)}", flush=True)


def engine_of(name: str) -> Engine:
    """What is kept of an engine."""
    file = _kept(name)
    outcomes: list[Outcome] = read(file) if file.exists() else []
    return Engine(name, scoring.judge(cases(), outcomes))


def _kept(engine: str) -> Path:
    return KEPT / f"{engine.replace(', ', '-').replace(' ', '-')}.jsonl"


class WithStops(Running):
    """What an operation takes when nobody else wants the CPU: its CPU time, and the time that it stands."""

    def slices(self, count: int) -> list[Slice]:
        """All as one: a tracer stops the program now and then, and the median of slices has none of it."""
        before = self._clocks()
        found = super().slices(count)
        wall_ns, ran_ns, queued_ns = (now - then for now, then in zip(self._clocks(), before, strict=True))
        cpu_s = sum(one.cpu_s for one in found) * (wall_ns - queued_ns) / ran_ns
        twin_s = sum(one.twin_s for one in found) / len(found)
        return [Slice(sum(one.operations for one in found), wall_ns / 1e9, cpu_s, twin_s)]

    def _clocks(self) -> tuple[int, int, int]:
        """Of the machine; what the program has run, and has waited for a CPU."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text()
        ran_ns, queued_ns, _ = map(int, text.split())
        return time.monotonic_ns(), ran_ns, queued_ns


@contextmanager
def apart(workload: Workload) -> Iterator[Running]:
    """A workload on the first CPU, its twin on the second; whatever else is begun meanwhile stays there."""
    cpus = os.sched_getaffinity(0)
    first, second, *_ = sorted(cpus)
    with running(workload, first) as found, running(workload, second) as twin:
        os.setpriority(os.PRIO_PROCESS, twin.pid, 19)  # nobody waits for the twin
        os.sched_setaffinity(0, {second})
        try:
            yield WithStops(found, twin)
        finally:
            os.sched_setaffinity(0, cpus)


def costs(engine: str, pairs: int) -> None:
    """Measure what an engine costs the file worker, and keep it."""
    workload = next(one for one in WORKLOAD_TABLE if one.name == "file worker")
    found = row(workload, Memprobe(engine), pairs, SLICES, apart)
    if found.missing or found.slowdown is None:
        print(f"{engine}: {found.missing or 'too few pairs'}", file=sys.stderr)
        return
    _kept_costs(engine).write_text(json.dumps(asdict(found)))


def costs_of(engine: str) -> Row | None:
    """What is kept of that."""
    file = _kept_costs(engine)
    if not file.exists():
        return None
    kept = json.loads(file.read_text())
    return Row(**kept | {"slowdown": Estimate(**kept["slowdown"])})


def _kept_costs(engine: str) -> Path:
    return _kept(engine).with_suffix(".costs.json")


def costs_table() -> Iterator[str]:
    """What the engines cost that were measured."""
    rows = {name: found for name in ENGINES if (found := costs_of(name)) is not None}
    if not rows:
        return
    yield "\n## What they cost a program with many handle events\n"
    yield "The file worker, 2,000 files a second: CPU time and the time that it stood, against a twin.\n"
    yield "| engine | slow-down % (95 %) | its own account % | memprobe's CPU % | pairs |"
    yield "|---|---:|---:|---:|---:|"
    for name, one in rows.items():
        own, cpu = number(one.told_pct, 2), number(one.tool_cpu_pct, 1)
        yield f"| {name} | {cell(one.slowdown)} | {own} | {cpu} | {one.pairs} |"


def page(engines: Sequence[Engine]) -> Iterator[str]:
    """The tables."""
    where = f"CPython {platform.python_version()}, kernel {platform.release()}, {os.cpu_count()} CPUs"
    yield f"# What each engine finds and costs\n\nWritten by `bench/engines.py`. {where}.\n"
    if NOTES.exists():
        yield NOTES.read_text()
    yield f"| {' | '.join(HEAD)} |"
    yield "|---" * len(HEAD) + "|"
    yield from (f"| {' | '.join(one.row())} |" for one in engines)
    yield "\n## Kinds that were found\n"
    kinds = [kind for kind in scoring.KINDS if any(scoring.of_kind(one.runs, kind) for one in engines)]
    yield f"| engine | {' | '.join(kinds)} |"
    yield "|---" * (len(kinds) + 1) + "|"
    for one in engines:
        scores = [scoring.score(scoring.of_kind(one.runs, kind)) for kind in kinds]
        cells = [f"{score.found} of {score.leaky}" if score.leaky else "" for score in scores]
        yield f"| {one.name} | {' | '.join(cells)} |"
    yield from costs_table()
    yield from ("", "## What went wrong\n", *(f"- {line}" for one in engines for line in _wrong(one)))


def _wrong(engine: Engine) -> Iterator[str]:
    for run in engine.runs:
        yield from (f"{engine.name}, {run.case.name}: {line}" for line in tables.complaints_of(run))


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help=argparse.SUPPRESS)
    parser.add_argument("--slow-down", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, default=16, help=argparse.SUPPRESS)
    parser.add_argument("--table", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    options = parsed(arguments)
    KEPT.mkdir(parents=True, exist_ok=True)
    for engine in () if options.table else options.engine or ENGINES:
        if options.slow_down:
            costs(engine, options.pairs)
        else:
            found(engine, chosen(options.only), options.jobs)
    text = "\n".join(page([engine_of(name) for name in ENGINES]))
    RESULTS.write_text(text + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
