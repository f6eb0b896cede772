"""`memprobe attach`: watch a process, and report what leaks, who holds it, and which line makes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from memprobe.cli.failing import fail_if_found, fails_on, usd_per_gb_hour
from memprobe.cli.options import as_json, duration, full, max_overhead, of_a_run, source, verbose
from memprobe.cli.watching import check_duration, check_new, pid_of, watched
from memprobe.errors import OutputNotWritable, UsageError


@click.command()
@click.argument("pid", metavar="PID")
@duration
@click.option("--record", metavar="F", help="Record the run in F; memprobe report F shows it again.")
@max_overhead
@of_a_run
@usd_per_gb_hour
@fails_on
@source
@full
@as_json
@verbose
def attach(
    pid: str,
    duration: float | None,
    record: str | None,
    max_overhead: float,
    tree: bool,
    seed: int,
    no_learn: bool,
    usd_per_gb_hour: float | None,
    fail_on: tuple[str, ...],
    min_confidence: float,
    source: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Watch a process from outside, and report what leaks, who holds it, and which line makes it.

    Ends with Ctrl-C, SIGTERM, after --duration, or with the process; the report comes in every case.

    \b
    Tier 0, read access to /proc/PID: numbers, and open handles without their lines.
    Tier 1, ptrace read access: what piles up in its heap, who holds it, and what the collector does.
    Tier 2, CAP_BPF and CAP_PERFMON (usually root): the line that opened each handle, and where memory grows.
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe attach --help")
    if not 0 < max_overhead <= 100:
        raise UsageError("--max-overhead must be above 0 and at most 100 percent")
    check_duration(duration)
    if record is not None:
        check_new(record)
    from memprobe.session import Options
    from memprobe.views import output
    from memprobe.views.source_lines import with_source

    options = Options(tree, max_overhead, None if record is None else Path(record), seed, learn=not no_learn)
    failed: list[OutputNotWritable] = []
    if usd_per_gb_hour is not None:
        options = replace(options, usd_per_gb_hour=usd_per_gb_hour)
    document = watched(number, options, duration, failed)
    if source:
        document = with_source(document)
    if as_json:
        output.show_json(document)
    else:
        output.show_report(document, full=full)
    if failed:
        raise failed[0]
    fail_if_found(document, fail_on, min_confidence)
