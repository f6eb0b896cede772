"""What a recording costs, how long its report takes, and how heavy its page is.

    --beside PID     the calm service: recorded for --seconds; without it, it is left out
    --seconds S      how long (120)
    --hours H        the length of the recording that is made up and reported on (24)
    --storm-mb N     and the size of the one of a storm (100)

What is written is taken from a recording and written again: the CPU time is that of the writer alone, and
that of a state beside it. The first 30 s, in which looks at the heap are close together, do not count. Prints
its tables and writes bench/results/recordings.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from memprobe.ledger.opening import opening
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.session.keeping import OPENINGS_NS
from memprobe.session.replay import Replay
from memprobe.session.states import SOON_S, Standing, state_of
from memprobe.views.history import History
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import Rows
from recording.writing import FACTS, NS, PID, batch
from views.browser import browser
from views.made_up_story import batch as seen

MEMPROBE = Path(sys.executable).with_name("memprobe")
RESULTS = Path(__file__).resolve().parent / "results" / "recordings.md"
EARLY_S, STORM_S, STORM_EVENTS = 30, 20, 20_000
LOOK_S, REGIONS = 10, 300
"""So often the made-up service's heap is looked at, and so many regions its memory has."""

TIMES = 3
"""Of so many runs of a command the median is told."""

HEAD = """# Recordings

Written by `bench/recordings.py`. CPython {python}, {cpus} cores.
Load average {before:.1f} before, {after:.1f} after.

"""


# What writing costs ---------------------------------------------------------------------------------


def written(path: Path, batches: Iterable[Batch]) -> tuple[float, int]:
    """Write batches; return CPU seconds and the size of the file."""
    begin = time.process_time()
    with RecordingWriter(path, FACTS) as writer:
        for one in batches:
            writer.write(one)
    return time.process_time() - begin, path.stat().st_size


def calm(folder: Path, pid: str, seconds: float) -> str:
    """Record a service; write its steady state once and twice: the difference is what it takes."""
    path = folder / "calm.mprobe"
    command = [str(MEMPROBE), "record", pid, "-o", str(path), "--no-learn"]
    subprocess.run([*command, "--duration", str(seconds + EARLY_S)], check=True, stdout=subprocess.DEVNULL)
    with RecordingReader(path) as reader:
        batches = list(iter(reader.poll, None))
    steady = [one for one in batches if one.begin_ns > batches[0].begin_ns + EARLY_S * NS]
    span_s = (steady[-1].end_ns - steady[0].begin_ns) / NS
    cpu_s, size = written(folder / "once", steady)
    _, twice = written(folder / "twice", [*steady, *steady])
    state_s, state_bytes = state_costs(path, batches)
    events = sum(len(one.births) + len(one.deaths) for one in steady) / span_s
    mb = ((twice - size) / span_s * 3600 + state_bytes) / 1e6
    share = 100 * (cpu_s / span_s + state_s / SOON_S)
    what = f"calm service, {events:.1f} handle events/s, {len(batches) / (span_s + EARLY_S):.1f} batches/s"
    return (
        f"| {what} | {share:.3f} % (limit 0.1) | {mb:.2f} MB/h (limit 2) | "
        f"{1e3 * state_s:.0f} ms, {state_bytes / 1e3:.0f} kB |"
    )


def state_costs(path: Path, batches: Iterable[Batch]) -> tuple[float, int]:
    """CPU seconds and bytes of the state that a run has at its end."""
    with RecordingReader(path) as reader:
        history = History()
        run = Replay(reader, None, history)
        for one in batches:
            run.fold(one)
        begin = time.process_time()
        state = state_of(Standing(run.ledger, run.experience, run.verdicts, history))
        size = len(zlib.compress(state.data, 6))
        return time.process_time() - begin, size


def storm(folder: Path) -> str:
    """A second has 20,000 events of 50 places, with paths."""
    cpu_s, size = written(folder / "storm", list(storm_seconds(STORM_S)))
    mb = size / STORM_S / 1e6 * 3600
    what = f"storm, {STORM_EVENTS} handle events/s"
    return f"| {what} | {100 * cpu_s / STORM_S:.2f} % (limit 3) | {mb:.0f} MB/h | |"


def storm_seconds(seconds: int) -> Iterator[Batch]:
    """So many seconds of it."""
    chance = np.random.default_rng(1)
    return (_storm_second(second, chance) for second in range(1, seconds + 1))


def _storm_second(second: int, chance: np.random.Generator) -> Batch:
    made, half = batch(second, closed=10), STORM_EVENTS // 2
    births, deaths = np.resize(made.births, half), np.resize(made.deaths, half)
    births["time_ns"] = second * NS + np.sort(chance.integers(0, NS, half))
    deaths["time_ns"] = births["time_ns"] + chance.integers(1000, 100_000, half).astype(np.uint64)
    births["stack_id"] = chance.integers(1, 50, half)
    births["descriptor"] = deaths["first"] = deaths["last"] = chance.integers(3, 200, half)
    paths = chance.integers(97, 123, 8 * half).astype("u1").tobytes()
    storm: Batch = replace(made, births=births, deaths=deaths, paths=paths)
    return storm


# What reading costs ---------------------------------------------------------------------------------


def day(hours: float) -> Iterator[Batch]:
    """A service that opens ten files a second; every ten seconds its heap is looked at: 60 subjects grow."""
    for second in range(1, int(hours * 3600) - 1):  # the last state is five minutes old then
        one = batch(second, closed=10)
        if second % LOOK_S == 0:
            look = seen(second // LOOK_S - 1, LOOK_S, REGIONS)
            own = [_own(rows, second) for rows in (look.populations, look.regions)]
            one = replace(one, populations=own[0], regions=own[1], subjects=look.subjects)
        yield one


def _own(rows: Rows, second: int) -> Rows:
    """The rows of another made-up process, as those of this one."""
    rows["pid"], rows["time_ns"] = PID, (second + 1) * NS
    return rows


def as_recorded(path: Path, batches: Iterable[Batch]) -> Path:
    """Write a run as its session would have, a state every five minutes; killed just before the next one."""
    batches, last_ns, opened_ns = iter(batches), 0, 0
    with RecordingWriter(path, FACTS) as writer, RecordingReader(path) as reader:
        history = History()
        run = Replay(reader, None, history)
        for one in batches:
            writer.write(one)
            run.fold(one)
            if one.end_ns - opened_ns >= OPENINGS_NS:
                opened_ns = one.end_ns
                writer.begin_again(opening(run.ledger), None)
            if one.end_ns - last_ns >= SOON_S * NS:
                last_ns = one.end_ns
                writer.write_state(state_of(Standing(run.ledger, run.experience, run.verdicts, history)))
        killed = path.with_suffix(".killed")
        writer.flush()
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{killed}{suffix}")
        writer.write_state(state_of(Standing(run.ledger, run.experience, run.verdicts, history)))
    return killed


def timed(*arguments: str) -> tuple[float, float]:
    """Median seconds and CPU seconds of a command of memprobe."""
    taken = []
    for _ in range(TIMES):
        before, begin = getrusage(RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([str(MEMPROBE), *arguments], check=True, stdout=subprocess.DEVNULL)
        after = getrusage(RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        taken.append((time.monotonic() - begin, cpu_s))
    walls, cpus = zip(*taken, strict=True)
    return float(np.median(walls)), float(np.median(cpus))


def reading(name: str, *arguments: str, limit: str = "") -> str:
    """A row: one command."""
    wall_s, cpu_s = timed(*arguments, "--json")
    return f"| {name} | {wall_s:.2f} s{limit} | {cpu_s:.2f} s |"


def without_states(path: Path) -> Path:
    """The file as another memprobe would read it."""
    bare = path.with_suffix(".bare")
    shutil.copyfile(path, bare)
    with closing(sqlite3.connect(bare)) as database, database:
        database.execute("UPDATE states SET made_by = 'another'")
    return bare


def page(name: str, path: Path, folder: Path) -> str:
    """A row: the page of a recording, and how soon one can work with it in a browser."""
    file = folder / "page.html"
    wall_s, _ = timed("report", str(path), "--html", str(file))
    ready_ms, clicked_ms = [], []
    with browser(folder) as shown:
        for _ in range(TIMES):
            begin = time.monotonic()
            shown.open(file)
            shown.run("document.getElementById('theme').click()")
            clicked_ms.append(1e3 * (time.monotonic() - begin))
            ready_ms.append(float(shown.run("document.documentElement.dataset.readyMs")))
    size_mb = file.stat().st_size / 1e6
    return (
        f"| {name} | {path.stat().st_size / 1e6:.1f} MB | {wall_s:.2f} s | {size_mb:.2f} MB (limit 5) | "
        f"{np.median(ready_ms):.0f} ms (limit 2,000) | {np.median(clicked_ms):.0f} ms |"
    )


WRITING = "| what | CPU of one core | room | a state |\n|---|---:|---:|---:|"
READING = "| what | seconds | CPU |\n|---|---:|---:|"
PAGES = (
    "| recording | size | written in | page | ready | opened and clicked |\n|---|---:|---:|---:|---:|---:|"
)


def tables(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the page, as they are measured."""
    yield "## Writing\n"
    yield "The writer alone; beside the calm service a state every five minutes; one an hour stays.\n"
    yield WRITING
    if options.beside:
        yield calm(folder, options.beside, options.seconds)
    yield storm(folder)
    whole = folder / "day.mprobe"
    killed = as_recorded(whole, day(options.hours))
    yield f"\n## Reading\n\nA made-up service, {options.hours:g} h, {whole.stat().st_size / 1e6:.0f} MB."
    yield f"A batch a second; whole commands, the median of {TIMES}.\n"
    yield READING
    yield reading("report", "report", str(whole), limit=" (limit 3)")
    yield reading("report after kill -9, the last state 5 minutes old", "report", str(killed))
    middle = options.hours / 2
    window = f"{middle * 60 - 5:.0f}m..{middle * 60 + 5:.0f}m"
    yield reading("report --window, ten minutes in the middle", "report", str(whole), "--window", window)
    begin = time.monotonic()
    subprocess.run(
        [str(MEMPROBE), "report", str(without_states(whole)), "--json"], check=True, stdout=subprocess.DEVNULL
    )
    taken_s = time.monotonic() - begin
    yield f"| report without states: all batches are folded again (once) | {taken_s:.0f} s | |"
    yield "\n## Pages\n"
    yield "`report --html`; the page's own clock when all is built; from outside until a click is done.\n"
    yield PAGES
    yield page(f"{options.hours:g} h", whole, folder)
    mb_a_second = written(folder / "again", list(storm_seconds(STORM_S)))[1] / STORM_S / 1e6
    as_recorded(folder / "storm.mprobe", storm_seconds(round(options.storm_mb / mb_a_second)))
    yield page("of a storm", folder / "storm.mprobe", folder)


def main(arguments: Sequence[str]) -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--beside", metavar="PID")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--storm-mb", type=float, default=100.0)
    options = parser.parse_args(arguments)
    before, lines = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as name:
        for line in tables(Path(name), options):
            print(line, flush=True)
            lines.append(line)
    loads = {"before": before, "after": os.getloadavg()[0]}
    head = HEAD.format(python=platform.python_version(), cpus=os.cpu_count(), **loads)
    RESULTS.write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
