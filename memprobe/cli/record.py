"""`memprobe record`: watch a process and keep what was seen, for a report somewhere else or tomorrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from memprobe.cli.configured import FAILING, OF_A_RUN, configured
from memprobe.cli.failing import fail_if_found
from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import check_keys, check_new, pid_of, watched
from memprobe.config import Config
from memprobe.errors import OutputNotWritable, UsageError

KEPT = (
    "record.ring_minutes",
    "record.on_exit",
    "record.on_oom",
    "record.redact",
    "record.heap",
    "record.with_keys",
)


@click.command()
@click.argument("pid", metavar="PID")
@click.option("-o", "--output", required=True, metavar="F", help="The file; it must not exist yet.")
@configured(*KEPT, *OF_A_RUN, *FAILING)
@as_json
@verbose
def record(pid: str, output: str, config: Config, as_json: bool) -> None:
    """Watch a process from outside, and keep what was seen in a file.

    The same run as attach; the file has no contents of the process: no values, and no dictionary keys
    unless --with-keys asks for them.
    Every two seconds what came is committed: whatever ends memprobe, that much can be reported on.
    A sealed file is read-only, with how the process ended in it: exit code, signal, core, memory.

    Ends with Ctrl-C, SIGTERM, after --duration, or with the process. Rights are as for attach.
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe record --help")
    check_new(output)
    check_keys(config, output)
    from memprobe.session import Options

    failed: list[OutputNotWritable] = []
    document = watched(number, Options(config, Path(output)), failed)
    _show(document, output, as_json)
    if failed:
        raise failed[0]
    fail_if_found(document, config)


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
