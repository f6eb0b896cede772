"""`memprobe run`: start a program, watch it from its first instruction on, and report when it has ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from memprobe.cli.configured import FAILING, OF_A_PROGRAM, configured
from memprobe.cli.failing import FINDINGS, is_found
from memprobe.cli.first import step_aside
from memprobe.cli.main import bug, complain
from memprobe.cli.options import Invocation, as_json, verbose
from memprobe.cli.relaying import Relay
from memprobe.cli.watching import check_keys, check_new
from memprobe.config import Config
from memprobe.errors import MemprobeError, OutputNotWritable, UsageError
from memprobe.target.launch import CannotRun, Launched


class Watched:
    """What came of watching a program."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None
        self.troubles: list[Exception] = []
        """What went wrong; it is said when the program has ended."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", metavar="-- CMD [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--report", metavar="F", help="Write the report to F; without it, to standard error.")
@click.option("--record", metavar="F", help="Record the run in F; memprobe report F shows it again.")
@configured(*OF_A_PROGRAM, "report.usd_per_gb_hour", *FAILING, "report.source", "report.full")
@as_json
@verbose
@click.pass_context
def run(
    context: click.Context,
    command: tuple[str, ...],
    report: str | None,
    record: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Start a program, watch it and all its children, and report when it has ended.

    The program waits until everything is attached, so that nothing of it is missed. It has the terminal,
    standard input and output for itself, and gets the signals that are sent to memprobe; nothing is printed
    before it has ended.

    Exit code: that of the program, 128+N if signal N has ended it, 127 if there is no such command. With
    --fail-on 1, if there are such findings and the program itself ended with 0. Whatever happens to memprobe,
    the program runs on, and its exit code is kept.

    \b
    Tier 1, ptrace read access: what piles up in its heap. One's own programs may be read
    (where kernel.yama.ptrace_scope is 1, only the one that is started, not its children).
    Tier 2, CAP_BPF and CAP_PERFMON (usually root): the line that opened each handle, and where memory grows.
    As another user: sudo memprobe run -- sudo -u NAME CMD
    """
    if record is not None:
        check_new(record)
        check_keys(config, record)
    if report is not None:
        _check_folder(report)
        if record is not None and os.path.realpath(report) == os.path.realpath(record):
            raise UsageError(f"--record and --report are both {report}", remedy="choose another name for one")
    tell_first = step_aside()
    watched = Watched()
    invocation = context.ensure_object(Invocation)
    code = _run(command, invocation.ignored, config, record, watched, tell_first)
    try:
        _show(watched.document, report, config, is_json=as_json)
    except Exception as error:  # noqa: BLE001 (the exit code stays the program's)
        watched.troubles.append(error)
    except (KeyboardInterrupt, SystemExit):
        pass  # somebody does not want to wait for the report
    _complain(watched, command[0], invocation)
    is_failed = watched.document is not None and is_found(watched.document, config)
    context.exit(FINDINGS if is_failed and code == 0 else code)


def _check_folder(report: str) -> None:
    folder = os.path.dirname(report) or "."
    if not os.path.isdir(folder):
        raise OutputNotWritable(f"{report}: there is no folder {folder}", remedy=f"mkdir -p {folder}")


def _run(
    command: tuple[str, ...],
    ignored: tuple[signal.Signals, ...],
    config: Config,
    record: str | None,
    watched: Watched,
    tell_first: Callable[[int], None],
) -> int:
    """Run a command to its end, and return its exit code; whatever goes wrong with watching it."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()  # what is buffered here would be the child's, too
    with Relay() as relay:
        program = Launched(command, relay.mask, ignored)
        tell_first(program.pid)
        try:
            try:
                relay.begin(lambda: program.pid)
                _watch(program, config, record, watched)
            finally:
                program.release()
        except Exception as error:  # noqa: BLE001 (nothing that happens here is the program's fault)
            watched.troubles.append(error)
        program.await_end()
    code = program.collect()
    tell_first(0)
    return code


def _watch(program: Launched, config: Config, record: str | None, watched: Watched) -> None:
    # Only now: the program was forked from a process that is small, and has one thread.
    from memprobe.session import Options
    from memprobe.session.launching import launched
    from memprobe.views.report import document

    options = Options(config.having({"run.tree": True}), None if record is None else Path(record))
    with launched(program.pid, program.release, options) as session:
        session.run(lambda: True)
        watched.document = document(session.ledger, session.report())
        session.close()
        if session.recording_failure is not None:
            watched.troubles.append(session.recording_failure)


def _complain(watched: Watched, name: str, invocation: Invocation) -> None:
    """Say what went wrong, a line each."""
    for error in watched.troubles:
        if isinstance(error, OutputNotWritable):
            complain(error.line, 0)
        elif isinstance(error, CannotRun | BrokenPipeError):
            complain(str(error), 0)
        elif isinstance(error, MemprobeError):
            complain(f"{name} was not watched: {error.line}", 0)
        else:
            bug(error, invocation)


def _show(document: dict[str, Any] | None, report: str | None, config: Config, *, is_json: bool) -> None:
    """Show the report, if there is one, or write it into a file."""
    from memprobe.views import files, output, plain, report_page
    from memprobe.views.source_lines import with_source

    if document is None:
        return
    if config.report.source:
        document = with_source(document)
    if report is not None:
        text = output.as_json(document) if is_json else plain.paint(report_page.page(document))
        files.write(report, text.encode())
    elif is_json:
        output.write_beside(output.as_json(document))
    else:
        output.show_beside(document, full=config.report.full)
