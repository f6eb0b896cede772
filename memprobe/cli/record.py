"""`memprobe record`: watch a process and keep what was seen, for a report somewhere else or tomorrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from memprobe.cli.failing import fail_if_found, fails_on
from memprobe.cli.options import as_json, duration, max_overhead, of_a_run, verbose
from memprobe.cli.watching import check_duration, check_new, pid_of, watched
from memprobe.errors import OutputNotWritable, UsageError

SHORTEST_RING, LONGEST_RING = 0.1, 60.0 * 24 * 31


@click.command()
@click.argument("pid", metavar="PID")
@click.option("-o", "--output", required=True, metavar="F", help="The file; it must not exist yet.")
@click.option("--ring", type=float, metavar="MINUTES", help="Keep only the last minutes: a flight recorder.")
@click.option("--on-exit", is_flag=True, help="When the process ends: note how, and seal the file.")
@click.option(
    "--on-oom",
    is_flag=True,
    help="The same, and look at the heap before the process is killed for its memory.",
)
@click.option("--redact", is_flag=True, help="Leave out what handles point to: paths and peers.")
@duration
@max_overhead
@of_a_run
@fails_on
@as_json
@verbose
def record(
    pid: str,
    output: str,
    ring: float | None,
    on_exit: bool,
    on_oom: bool,
    redact: bool,
    duration: float | None,
    max_overhead: float,
    tree: bool,
    seed: int,
    no_learn: bool,
    fail_on: tuple[str, ...],
    min_confidence: float,
    as_json: bool,
) -> None:
    """Watch a process from outside, and keep what was seen in a file.

    The same run as attach; the file has no contents of the process: no values, no dictionary keys.
    Every two seconds what came is committed: whatever ends memprobe, that much can be reported on.
    A sealed file is read-only, with how the process ended in it: exit code, signal, core, memory.

    Ends with Ctrl-C, SIGTERM, after --duration, or with the process.
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe record --help")
    if not 0 < max_overhead <= 100:
        raise UsageError("--max-overhead must be above 0 and at most 100 percent")
    if ring is not None and not SHORTEST_RING <= ring <= LONGEST_RING:
        raise UsageError(f"--ring must be from {SHORTEST_RING} to {LONGEST_RING:.0f} minutes")
    check_duration(duration)
    check_new(output)
    from memprobe.session import Keeping, Options

    keeping = Keeping(ring, on_exit, on_oom, redact)
    options = Options(tree, max_overhead, Path(output), seed, keeping=keeping, learn=not no_learn)
    failed: list[OutputNotWritable] = []
    document = watched(number, options, duration, failed)
    _show(document, output, as_json)
    if failed:
        raise failed[0]
    fail_if_found(document, fail_on, min_confidence)


def _show(document: dict[str, Any], path: str, as_json: bool) -> None:
    from memprobe.views import output
    from memprobe.views.escaping import escape
    from memprobe.views.findings import one_line
    from memprobe.views.quantities import count, duration

    if as_json:
        output.show_json(document)
        return
    click.echo(
        f"{duration(document['window']['duration_s'])} in {escape(path)}, {_size_mb(path):.1f} MB: "
        f"{count(len(document['findings']), 'finding')}; memprobe report {escape(path)} shows them"
    )
    if document["target"]["ended"]:
        click.echo(escape(document["target"]["ended"]))
    for finding in document["findings"]:
        click.echo(f"  {escape(one_line(finding))}")


def _size_mb(path: str) -> float:
    try:
        return os.path.getsize(path) / (1 << 20)
    except OSError as error:
        raise OutputNotWritable(f"{path}: the recording is gone: {error.strerror}") from error
