"""What a recording costs: time and room beside a calm service and in a storm, and how long its report takes.

    --beside PID     the calm service: recorded for --seconds; without it, it is left out
    --seconds S      how long (60)
    --hours H        the length of the recording that is made up and reported on (24)

What is written is taken from a recording, and written again: the CPU time is that of the writer alone. The
first 30 s, in which looks at the heap are close together, do not count. Prints a table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "recording"))

from writing import FACTS, NS, batch  # type: ignore[import-not-found]  # noqa: E402  a made-up service

from memprobe.recording import RecordingReader, RecordingWriter  # noqa: E402
from memprobe.session import replayed  # noqa: E402
from memprobe.views.report import document  # noqa: E402
from memprobe.vocab.batch import Batch  # noqa: E402

MEMPROBE = Path(sys.executable).with_name("memprobe")
EARLY_S, STORM_S, STORM_EVENTS = 30, 20, 20_000


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
    events = sum(len(one.births) + len(one.deaths) for one in steady) / span_s
    mb = (twice - size) / span_s * 3600 / 1e6
    return f"| calm service, {events:.1f} handle events/s | {100 * cpu_s / span_s:.3f} % | {mb:.2f} MB/h |"


def storm(folder: Path) -> str:
    """A second has 20,000 events of 50 places, with paths."""
    chance = np.random.default_rng(1)
    made = [_storm_second(second, chance) for second in range(1, STORM_S + 1)]
    cpu_s, size = written(folder / "storm", made)
    mb = size / STORM_S / 1e6 * 3600
    return f"| storm, {STORM_EVENTS} handle events/s | {100 * cpu_s / STORM_S:.2f} % | {mb:.0f} MB/h |"


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


def long_report(folder: Path, hours: float) -> str:
    """A service that opens ten files a second, for a day."""
    path, seconds = folder / "long", int(hours * 3600)
    _, size = written(path, (batch(second, closed=10) for second in range(1, seconds)))
    begin = time.monotonic()
    document(*replayed(path))
    took_s = time.monotonic() - begin
    each_us = 1e6 * took_s / seconds
    return f"| report of {hours:g} h ({size / 1e6:.1f} MB) | {took_s:.1f} s | {each_us:.0f} us a batch |"


def main(arguments: Sequence[str]) -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", metavar="PID")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hours", type=float, default=24.0)
    options = parser.parse_args(arguments)
    print("| what | CPU of one core, or time | room |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.beside:
            print(calm(folder, options.beside, options.seconds), flush=True)
        print(storm(folder), flush=True)
        print(long_report(folder, options.hours), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
