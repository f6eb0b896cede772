"""`memprobe attach`: watch a process, and report what is open, from which lines, and where memory grows."""

from __future__ import annotations

import os
from pathlib import Path

import click

from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import check_duration, pid_of, watched
from memprobe.errors import OutputNotWritable, UsageError


@click.command()
@click.argument("pid", metavar="PID")
@click.option("--duration", type=float, metavar="S", help="End after S seconds; without it, at Ctrl-C.")
@click.option("--record", metavar="F", help="Record the run in F; memprobe report F shows it again.")
@click.option(
    "--max-overhead",
    type=float,
    default=1.0,
    show_default=True,
    metavar="PCT",
    help="What the process may lose, in percent of one core.",
)
@click.option("--tree", is_flag=True, help="Follow its children too.")
@click.option("--seed", type=int, default=0, metavar="N", help="Seed of all sampling.")
@as_json
@verbose
def attach(
    pid: str,
    duration: float | None,
    record: str | None,
    max_overhead: float,
    tree: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Watch a process from outside, and report what it holds open and where its memory grows.

    Ends with Ctrl-C, SIGTERM, after --duration, or with the process; the report comes in every case.

    \b
    Tier 0, read access to /proc/PID: numbers, and open handles without their lines.
    Tier 1, ptrace read access: the collector and arenas of Python too.
    Tier 2, CAP_BPF and CAP_PERFMON (usually root): the line that opened each handle, and where memory grows.
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe attach --help")
    if not 0 < max_overhead <= 100:
        raise UsageError("--max-overhead must be above 0 and at most 100 percent")
    check_duration(duration)
    if record is not None and os.path.lexists(record):
        raise OutputNotWritable(
            f"{record}: there is a file of this name already", remedy="choose another name"
        )
    from memprobe.session import Options
    from memprobe.views import output

    options = Options(tree, max_overhead, None if record is None else Path(record), seed)
    document = watched(number, options, duration)
    if as_json:
        output.show_json(document)
    else:
        from memprobe.views.report_page import page

        output.show(page(document))
