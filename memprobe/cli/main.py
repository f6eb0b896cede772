"""Start a command and turn whatever goes wrong into one line and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

import click

from memprobe import __version__
from memprobe.cli.options import Invocation, verbose
from memprobe.errors import MemprobeError, OutputNotWritable

USAGE, BUG = 2, 70
# What a shell reports for a program that a signal has ended.
INTERRUPTED, TERMINATED, PIPE_CLOSED = 128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGPIPE
NO_THREAD = "can't start new thread"
"""What Python's RuntimeError says of pthread_create(3)."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

COMMANDS = {
    "doctor": "What memprobe may do here, and what grants it the rest.",
    "inspect": "Say exactly what a Python process is and what it is doing.",
    "attach": "Watch a process: what leaks, who holds it, and which line makes it.",
    "run": "Start a program and watch it from its first instruction on.",
    "heap": "What is alive in a process, how much of it, and who holds it.",
    "handles": "What a process holds open, since when, and which line opened it.",
    "tasks": "Which asyncio tasks a process has, where each one waits, and who awaits whom.",
    "blame": "Which lines fill a container, and which ones empty it.",
    "config": "Every setting, its value, and where that came from.",
    "guard": "Watch a process on its own orders: what protect() starts inside an application.",
    "learn": "What earlier runs have taught memprobe of programs, and your word on it.",
    "record": "Watch a process and keep what was seen: all of it, or the last minutes.",
    "report": "Report on a recording.",
    "replay": "Play a recording in the live view.",
    "diff": "Compare two recordings, or two parts of one: fixed, not fixed, worse, new.",
}


class LazyCommands(click.Group):
    """A group that imports a command only when it is the one to run."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import the module of a command; it holds a function of the same name."""
        if name not in COMMANDS:
            return None
        command = getattr(import_module(f"memprobe.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyCommands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="memprobe %(version)s", help="Print the version.")
@verbose
@click.pass_context
def memprobe(context: click.Context) -> None:
    """Look into a running CPython process from the outside.

    No restart, no import, no code in the process, and it is not stopped unless that is asked for.

    Exit codes: 0 fine, 1 findings (with --fail-on), 2 wrong usage, 3 not permitted, 4 no such process,
    5 a process that memprobe does not support, 6 no kernel support, 7 an unreadable file, 8 output that
    cannot be written, 70 a bug in memprobe.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; no exception leaves this function."""
    invocation = Invocation()
    _prepare_streams()
    _prepare_signals(invocation)
    try:
        _run(sys.argv[1:] if arguments is None else list(arguments), invocation)
    except MemprobeError as error:
        return complain(error.line, error.exit_code)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        return complain(_usage(error), USAGE)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return PIPE_CLOSED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else BUG
    except OSError as error:
        if error.errno not in NO_ROOM:
            return bug(error, invocation)
        return complain(f"standard output cannot be written: {error.strerror}", OutputNotWritable.exit_code)
    except Exception as error:  # noqa: BLE001 (never a traceback that nobody asked for)
        return bug(error, invocation)
    return 0


def _run(arguments: list[str], invocation: Invocation) -> None:
    # Not `memprobe.main`: that one exits with 1 on a broken pipe, which here means "findings".
    with memprobe.make_context("memprobe", arguments, obj=invocation) as context:
        memprobe.invoke(context)
    _flush()


def _prepare_streams() -> None:
    # A terminal that is not UTF-8 must not turn a name into a UnicodeEncodeError.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _prepare_signals(invocation: Invocation) -> None:
    signal.signal(signal.SIGTERM, _terminate)
    # Ignored, it has the kernel collect children that memprobe waits for.
    if signal.signal(signal.SIGCHLD, signal.SIG_DFL) is signal.SIG_IGN:
        invocation.ignored = (signal.SIGCHLD,)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that every `finally` on the way out still runs.
    raise SystemExit(TERMINATED)


def complain(line: str, code: int) -> int:
    """Say in one line on standard error what went wrong; return the code."""
    from memprobe.views.escaping import escape

    if code == OutputNotWritable.exit_code:
        _discard_output()
    try:
        print(f"memprobe: {escape(line)}", file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody listens; the exit code still tells
    return code


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "memprobe"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message}; see: {command} --help"


def bug(error: Exception, invocation: Invocation) -> int:
    """Say that memprobe itself has failed; return the exit code for that. No room for a thread is none."""
    if isinstance(error, RuntimeError) and str(error) == NO_THREAD:
        from memprobe.target.forking import no_room

        full = no_room("a thread", "Resource temporarily unavailable")
        return complain(full.line, full.exit_code)
    kind = type(error).__name__
    if invocation.verbose:
        import traceback

        traceback.print_exception(error)
    return complain(
        f"this is a bug in memprobe: {kind}: {error}; please report it with what the same command prints "
        "under -v and with the output of: memprobe doctor --json",
        BUG,
    )


def _discard_output() -> None:
    # Python flushes standard output once more at exit and would complain about it again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
