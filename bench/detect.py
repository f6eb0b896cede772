"""How often memprobe's verdict is right: every program of the corpus watched, with and without its leak.

Recall, precision, right place, time to detect, false alarms, calibration, and which kind is taken for which;
how a finding is compared with the truth is told in detection/matching.py. Writes bench/results/detect.md, and
the findings themselves to bench/results/detect.jsonl, a line for each run as it ends.

    --quick               one leak of each kind, and its healthy twin
    --only PATTERN        the cases whose names match (may be given again)
    --leaky, --healthy    only those with a leak, only those without
    --own, --real         only our own programs, only those with released packages
    --duration S          watch each for so long
    --speed K             let time pass K times as fast in the programs that can have it so
    --soak                half an hour of each healthy program, at ten times its speed where that can be had:
                          our own take three minutes
    --jobs N              so many at a time
    --record DIR          keep the recordings
    --evaluate FILE       judge the findings in a file again, and run nothing
    --output FILE         where the findings go; the table goes beside them
    --check               end with 1 if what the project promises is missed
    --list                the cases, and nothing else
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from detection import scoring, tables  # noqa: E402  the interpreters are known in tests/pythons.py
from detection.cases import Case, cases  # noqa: E402
from detection.watching import Outcome, Watch, read, watch  # noqa: E402

RESULTS, SOAKED = (HERE / "results" / f"{name}.jsonl" for name in ("detect", "soak"))
SOAK_S, SOAK_SPEED = 1800.0, 10.0
JOBS = 2 * (os.cpu_count() or 1)
RECALL, PRECISION, PLACE, SECONDS = 0.95, 0.98, 0.9, 20.0


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that were asked for."""
    found = cases()
    if options.quick:
        found = [case for case in found if case.quick]
    if options.leaky or options.healthy or options.soak:
        found = [case for case in found if (case.truth is None) != bool(options.leaky)]
    if options.own or options.real:
        found = [case for case in found if case.is_real == bool(options.real)]
    if options.only:
        found = [case for case in found if any(fnmatch.fnmatch(case.name, one) for one in options.only)]
    return found


def run(wanted: Sequence[Case], how: Watch, jobs: int) -> Iterator[Outcome]:
    """Watch them, so many at a time; outcomes come as they are there."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(watch, case, how) for case in wanted]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for one in waiting:
                one.cancel()


def broken_promises(runs: Sequence[scoring.Judged]) -> Iterator[str]:
    """What is below what the project says of itself."""
    score, alarms = scoring.score(runs), scoring.alarms(runs)
    true, sure = scoring.precision(runs)
    if score.found < RECALL * score.leaky:
        yield f"recall {score.found} of {score.leaky}"
    if true < PRECISION * sure:
        yield f"precision {true} of {sure}"
    if score.place_first < PLACE * score.found:
        yield f"right holder or function in {score.place_first} of {score.found}"
    if score.fast_seconds is not None and score.fast_seconds > SECONDS:
        yield f"{score.fast_seconds:.0f} s to detect"
    if alarms.alarms:
        yield f"{alarms.alarms} false alarms"
    yield from (f"{run.case.name}: {run.outcome.problem}" for run in runs if run.outcome.problem)


def told(one: scoring.Judged) -> str:
    """One line about a run that has ended."""
    if one.outcome.problem:
        return f"{one.case.name}: PROBLEM {one.outcome.problem}"
    hit = one.hit
    words = [] if hit is None else [f"found after {hit['detected_after_s']} s, {hit['confidence']:.2f}"]
    if one.case.truth is not None and hit is None:
        words = ["MISSED"]
    words += [f"FALSE {tables.said(finding)}" for finding in one.false]
    return f"{one.case.name}: {'; '.join(words) or 'quiet'}"


def watched(wanted: Sequence[Case], options: argparse.Namespace) -> list[Outcome]:
    """Run, tell, and keep every outcome in the file at once."""
    how = Watch(options.duration, options.speed, options.record, tuple(options.option))
    if options.soak:
        how = replace(how, program_s=SOAK_S, speed=SOAK_SPEED)
    found: list[Outcome] = []
    with options.output.open("w") as file:
        for outcome in run(wanted, how, options.jobs):
            found.append(outcome)
            print(outcome.as_json(), file=file, flush=True)
            if outcome.missing:
                print(f"{outcome.case}: left out, {outcome.problem}", flush=True)
            for one in scoring.judge(wanted, [outcome]):
                print(f"{len(found)}/{len(wanted)} {told(one)}", flush=True)
    return found


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="detect.py [options]"
    )
    for name in ("quick", "leaky", "healthy", "own", "real", "soak", "check", "list"):
        parser.add_argument(f"--{name}", action="store_true", help=argparse.SUPPRESS)
    for name, kind, default in (
        ("duration", float, None),
        ("speed", float, 1.0),
        ("jobs", int, JOBS),
        ("record", Path, None),
        ("evaluate", Path, None),
        ("output", Path, None),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=argparse.SUPPRESS)
    for name in ("only", "option"):
        parser.add_argument(f"--{name}", action="append", default=[], help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run or read, judge, print, write."""
    options = parsed(arguments)
    options.output = options.output or (SOAKED if options.soak else RESULTS)
    wanted = chosen(options)
    if options.list:
        print("\n".join(case.name for case in wanted))
        return 0
    if options.record is not None:
        options.record.mkdir(parents=True, exist_ok=True)
    outcomes = read(options.evaluate) if options.evaluate else watched(wanted, options)
    runs = scoring.judge(wanted, outcomes)
    where = f"CPython {platform.python_version()}, kernel {platform.release()}, {os.cpu_count()} CPUs"
    head = f"# How often the verdict is right\n\nWritten by `bench/detect.py`, {len(runs)} runs. {where}.\n"
    text = "\n".join([head, *tables.page(runs)])
    print(text)
    if not options.evaluate:
        options.output.with_suffix(".md").write_text(text + "\n")
    broken = list(broken_promises(runs))
    print("\n".join(f"BELOW: {one}" for one in broken))
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
