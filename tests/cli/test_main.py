"""Starting and ending: help, usage errors, bugs, signals and broken outputs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

import memprobe
from cli.running import COMMAND, complaint, run
from memprobe import errors
from memprobe.cli import main as main_function
from memprobe.cli.main import COMMANDS, LazyCommands
from patience import PATIENCE_S, until

Fail = Callable[..., tuple[int, str]]
HEAVY = ("rich", "numpy", "psutil", "elftools", "asyncio", "memprobe.target", "memprobe.native")


def all_errors(kind: type[errors.MemprobeError] = errors.MemprobeError) -> list[type[errors.MemprobeError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in all_errors(child))]


class Raising(click.Command):
    """A command that fails in a given way."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("raising")
        self.error = error

    def invoke(self, ctx: click.Context) -> None:
        raise self.error


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fail:
    """Run a command in this process that raises; return the exit code and standard error."""

    def run_raising(error: BaseException, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(LazyCommands, "get_command", lambda *_: Raising(error))
        before = signal.getsignal(signal.SIGTERM)
        try:
            code = main_function([*arguments, "inspect"])
        finally:
            signal.signal(signal.SIGTERM, before)
        return code, capsys.readouterr().err

    return run_raising


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("inspect", "--help"), ("doctor", "-h")])
def test_help(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: memprobe" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_version() -> None:
    assert run("--version").stdout == f"memprobe {memprobe.__version__}\n"


@pytest.mark.parametrize("arguments", ["--help", "inspect --help", "doctor --help"])
def test_help_imports_nothing_heavy(arguments: str) -> None:
    code = (
        "import sys; from memprobe.cli import main; code = main(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments.split()], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_a_command_list_without_a_command() -> None:
    group = LazyCommands()
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert group.get_command(context, "nonsense") is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "No such command 'nonsense'; see: memprobe --help"),
        (("--nonsense",), "No such option"),
        (("inspect",), "Missing argument 'PID|IMAGE'; see: memprobe inspect --help"),
        (("inspect", "1", "2"), "unexpected extra argument"),
        (("inspect", "--save-image"), "requires an argument"),
        (("inspect", "nosuchfile"), "neither a pid nor a file"),
        (("inspect", "--", "-5"), "neither a pid nor a file"),
        (("inspect", "1\n2"), "neither a pid nor a file"),
        (("doctor", "first"), "is not a pid"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], words: str) -> None:
    assert words.lower() in complaint(run(*arguments), 2).lower()


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_is_one_line_with_its_exit_code(kind: type[errors.MemprobeError], fail: Fail) -> None:
    code, shown = fail(kind("the fact\nin \x1b[31mtwo lines", remedy="the remedy"))
    assert code == kind.exit_code
    assert shown == "memprobe: the fact\\nin \\x1b[31mtwo lines; the remedy\n"


def test_a_bug_is_one_line_that_says_so(fail: Fail) -> None:
    code, shown = fail(ZeroDivisionError("division\nby zero"))
    assert code == 70
    assert shown.count("\n") == 1
    assert "this is a bug in memprobe: ZeroDivisionError" in shown
    assert "report" in shown


def thread_that_has_no_room() -> RuntimeError:
    before = threading.stack_size(1 << 47)  # no process has so many addresses
    try:
        with pytest.raises(RuntimeError) as refused:
            threading.Thread(target=print).start()
    finally:
        threading.stack_size(before)
    return refused.value


def test_no_room_for_a_thread_is_no_bug(fail: Fail) -> None:
    code, shown = fail(thread_that_has_no_room())
    assert (code, shown.count("\n")) == (errors.NoMoreProcesses.exit_code, 1)
    assert "memprobe cannot start a thread that it needs" in shown
    assert "pids.max" in shown


@pytest.mark.parametrize(
    "arguments", [("inspect", "PID"), ("heap", "PID"), ("tasks", "PID"), ("doctor",), ("run", "--", "true")]
)
@pytest.mark.parametrize("reason", [errno.EAGAIN, errno.ENOMEM], ids=errno.errorcode.get)
def test_no_room_for_a_process_is_no_bug(
    arguments: tuple[str, ...],
    reason: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full() -> NoReturn:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "fork", full)
    before = signal.getsignal(signal.SIGTERM)
    open_before = len(os.listdir("/proc/self/fd"))
    try:
        code = main_function([one.replace("PID", str(os.getpid())) for one in arguments])
    finally:
        signal.signal(signal.SIGTERM, before)
    shown = capsys.readouterr().err
    assert (code, shown.count("\n")) == (errors.NoMoreProcesses.exit_code, 1), shown
    assert f"memprobe cannot start a process that it needs ({os.strerror(reason)})" in shown
    assert "pids.max" in shown
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_a_bug_shows_its_traceback_when_asked(fail: Fail) -> None:
    code, shown = fail(ZeroDivisionError("division by zero"), "-v")
    assert code == 70
    assert "Traceback (most recent call last)" in shown
    assert "this is a bug" in shown.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "expected"), [(KeyboardInterrupt(), 130), (click.Abort(), 130), (BrokenPipeError(), 141)]
)
def test_the_way_out_is_silent(
    error: BaseException, expected: int, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert fail(error) == (expected, "")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("doctor", "--json"), ("inspect", str(os.getpid()))]
)
def test_a_full_disk(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert "standard output cannot be written: No space left on device" in complaint(done, 8)


@pytest.mark.parametrize("arguments", [("--help",), ("doctor",), ("inspect", str(os.getpid()))])
def test_a_reader_that_went_away(arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, *arguments], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_cleanly(number: signal.Signals, expected: int) -> None:
    code = (
        "import signal, sys, time; import memprobe.target.killable as killable\n"
        "from memprobe.cli.main import main\n"
        # Who is started in the background by a shell without job control ignores it, and so would Python.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import memprobe.cli.inspect as module\n"
        "print('ready', flush=True)\n"
        "module._look = lambda *_: killable.call(lambda: time.sleep(900), blocked_limit_s=900)\n"
        "sys.exit(main(['inspect', '1']))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    child = wait_for_child(running.pid)
    os.killpg(running.pid, number)
    _, complaints = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, complaints) == (expected, "")
    assert not os.path.exists(f"/proc/{child}")


def wait_for_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return int(until(lambda: children.read_text().split())[0])
