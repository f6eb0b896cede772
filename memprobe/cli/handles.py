"""`memprobe handles`: what a process holds open, since when, and which line opened it."""

from __future__ import annotations

import os
from typing import Any

import click

from memprobe.cli.configured import ENGINE, configured
from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import check_duration, pid_of, recorded, watched
from memprobe.config import Config
from memprobe.errors import UsageError

SCHEMA = "memprobe.handles/1"
WATCHED_S = 5.0


@click.command()
@click.argument("target", metavar="PID|F")
@click.option("--site", metavar="TEXT", help="Only what was born where a function or file contains TEXT.")
@click.option(
    "--duration",
    type=float,
    default=WATCHED_S,
    show_default=True,
    metavar="S",
    help="How long a process is watched.",
)
@configured(*ENGINE)
@as_json
@verbose
def handles(target: str, site: str | None, duration: float, config: Config, as_json: bool) -> None:
    """Say what a process holds open: kind, count, age, and the line where it was opened.

    PID is a process, which is watched for a while; F is a recording. The line is known of handles that were
    opened while memprobe watched; older ones are listed without it.

    Needs tier 0; the lines need tier 2 (CAP_BPF and CAP_PERFMON, usually root).
    """
    check_duration(duration)
    from memprobe.views import output

    report = _report(target, config.having({"run.duration_s": duration, "run.learn": False}))
    rows = [row for row in report["handles"] if site is None or _is_at(row, site)]
    document = {**{name: report[name] for name in ("memprobe", "created_at", "target")}, "handles": rows}
    document |= {"schema": SCHEMA, "evidence": report["evidence"]}
    if as_json:
        output.show_json(document)
    else:
        from memprobe.views.report_page import handles_page

        output.show(handles_page(document))


def _report(target: str, config: Config) -> dict[str, Any]:
    pid = pid_of(target)
    if pid is None:
        if not os.path.exists(target):  # Path.exists raises on a name that is too long
            raise UsageError(f"{target!r} is neither a pid nor a file", remedy="see: memprobe handles --help")
        return recorded(target)
    from memprobe.session import Options

    return watched(pid, Options(config))


def _is_at(row: dict[str, Any], text: str) -> bool:
    return any(
        text in frame["function"] or text in f"{frame['file']}:{frame['line']}" for frame in row["site"]
    )
