"""`memprobe attach`: watch a process, and report what leaks, who holds it, and which line makes it."""

from __future__ import annotations

from pathlib import Path

import click

from memprobe.cli.configured import FAILING, OF_A_RUN, configured
from memprobe.cli.failing import fail_if_found
from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import check_keys, check_new, pid_of, watched
from memprobe.config import SETTINGS, Config
from memprobe.errors import OutputNotWritable, UsageError

KEPT = ("record.heap", "record.with_keys")
"""What more can be in the recording."""

DANGER = "record.on_oom"
"""Is of use without a recording, too: what the heap was like is in the report."""


@click.command()
@click.argument("pid", metavar="PID")
@click.option("--record", metavar="F", help="Record the run in F; memprobe report F shows it again.")
@configured(*OF_A_RUN, "report.usd_per_gb_hour", *FAILING, "report.source", "report.full", DANGER, *KEPT)
@as_json
@verbose
def attach(pid: str, record: str | None, config: Config, as_json: bool) -> None:
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
    if record is not None:
        check_new(record)
        check_keys(config, record)
    else:
        _check_unrecorded(config)
    from memprobe.session import Options
    from memprobe.views import output
    from memprobe.views.source_lines import with_source

    failed: list[OutputNotWritable] = []
    options = Options(config, None if record is None else Path(record))
    document = watched(number, options, failed)
    if config.report.source:
        document = with_source(document)
    if as_json:
        output.show_json(document)
    else:
        output.show_report(document, full=config.report.full)
    if failed:
        raise failed[0]
    fail_if_found(document, config)


def _check_unrecorded(config: Config) -> None:
    """Raise UsageError if the command line asks for what only a recording has."""
    for key in KEPT:
        if config.place(key).where == SETTINGS[key].option:
            raise UsageError(f"{SETTINGS[key].option} is about a recording", remedy="add --record F")
