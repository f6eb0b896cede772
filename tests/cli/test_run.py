"""run: the program has its streams, terminal, signals and exit code, whatever becomes of memprobe."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import pythons
from cli.running import COMMAND, complaint, document, run
from cli.test_attach import WITHOUT_BPF, wait_for
from cli.unprivileged import needs_root
from inside.protected import NOBODY, ORDINARY
from memprobe.recording.reader import RecordingReader
from patience import PATIENCE_S, until
from views.tmux import terminal

RUN = (*COMMAND, "run", "--no-learn")
QUICKLY = (*RUN, "--engine", "proc")
"""For what has nothing to do with events, whose programs take a while to load."""

PYTHON = sys.executable
READY = "import sys; print('ready', flush=True); "


@contextmanager
def launched(
    command: Sequence[str | Path], *options: str | Path, wrapper: Sequence[str] = RUN
) -> Iterator[Any]:
    """Run a program under memprobe; it is talked to as if it ran alone."""
    ended = subprocess.Popen(
        [*map(str, (*wrapper, *options, "--", *command))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=pythons.clean_environment(),
    )
    try:
        yield ended
    finally:
        ended.kill()
        ended.wait()
        for pipe in (ended.stdin, ended.stdout, ended.stderr):
            assert pipe is not None
            with suppress(OSError):  # the program may live on, and have them too
                pipe.close()


def said(program: subprocess.Popen[str], word: str) -> str:
    """Wait for a line that begins so, and return the rest of it."""
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise AssertionError(f"no {word!r}: {program.communicate()}")


def finished(program: subprocess.Popen[str], code: int) -> tuple[str, str]:
    """End the input of a program, and return what it and memprobe have said since."""
    output, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == code, errors
    return output, errors


def report_of(path: Path) -> dict[str, Any]:
    report = json.loads(path.read_text())
    assert isinstance(report, dict)
    return report


def test_streams_and_exit_code_are_the_programs(tmp_path: Path) -> None:
    code = READY + "print(sys.stdin.read()[::-1]); print('mine', file=sys.stderr); sys.exit(3)"
    with launched([PYTHON, "-c", code], "--record", tmp_path / "r", wrapper=QUICKLY) as program:
        said(program, "ready")
        wait_for(tmp_path / "r", "samples", program)
        assert program.stdin is not None
        program.stdin.write("olleh")
        output, errors = finished(program, 3)
    assert output == "hello\n"
    assert errors.startswith("mine\npid ")
    assert "no leak found" in errors
    assert "exited with code 3" in errors


def test_signals_sent_to_memprobe_are_the_programs(targets: Path) -> None:
    with launched([PYTHON, targets / "answering_signals.py"], wrapper=QUICKLY) as program:
        said(program, "ready")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN):
            program.send_signal(number)
            assert said(program, "got") == str(int(number))
        output, _ = finished(program, 7)
    assert output == ""  # each once


def test_what_was_blocked_is_blocked_for_the_program_too() -> None:
    unnamed = signal.SIGRTMIN + 1  # Python has no name for it

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, (unnamed, signal.SIGUSR1))

    command = [*QUICKLY, "--", "grep", "SigBlk", "/proc/self/status"]
    told = subprocess.run(command, preexec_fn=block, capture_output=True, text=True, check=True)
    assert int(told.stdout.split()[1], 16) == 1 << unnamed - 1 | 1 << signal.SIGUSR1 - 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_ends_the_program_is_told_by_the_exit_code(
    number: signal.Signals, tmp_path: Path
) -> None:
    code = f"import signal; signal.signal({int(number)}, signal.SIG_DFL); {READY} input()"
    with launched([PYTHON, "-c", code], "--record", tmp_path / "r", wrapper=QUICKLY) as program:
        said(program, "ready")
        wait_for(tmp_path / "r", "samples", program)
        program.send_signal(number)
        program.wait(PATIENCE_S)  # or the end of its input may come before the signal
        _, errors = finished(program, 128 + number)
    assert f"was killed by signal {int(number)} ({number.name})" in errors


def test_a_program_that_is_killed(targets: Path, tmp_path: Path) -> None:
    command = [PYTHON, str(targets / "answering_signals.py")]
    with launched(command, "--record", tmp_path / "r", wrapper=QUICKLY) as program:
        pid = int(said(program, "ready"))
        wait_for(tmp_path / "r", "samples", program)
        os.kill(pid, signal.SIGKILL)
        program.wait(PATIENCE_S)
        _, errors = finished(program, 137)
    assert "was killed by signal 9 (SIGKILL)" in errors


def test_a_program_that_signals_its_group_has_each_signal_once(targets: Path) -> None:
    code = """
import os, runpy, signal, sys, threading, time
def signal_all():
    while signal.getsignal(signal.SIGWINCH) is signal.SIG_DFL:  # the last one that the script sets
        time.sleep(0.01)
    os.killpg(0, signal.SIGUSR1)
threading.Thread(target=signal_all).start()
runpy.run_path(sys.argv[1])
"""
    command = [PYTHON, "-c", code, str(targets / "answering_signals.py")]
    with launched(command, wrapper=("setsid", "-w", *QUICKLY)) as program:
        assert said(program, "got") == "10"
        output, _ = finished(program, 7)
    assert output == ""


ITIMER = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); "
ITIMER += "signal.setitimer(signal.ITIMER_REAL, 1, 1); os.execvp(sys.argv[1], sys.argv[1:])"
ENDS_ON = "import os, signal, time; signal.signal(signal.{0}, lambda *_: os._exit(9)); {1} "
ENDS_ON += "[time.sleep(0.05) for _ in iter(int, 1)]"
"""Not pause(): it would wait for ever if the signal came just before it."""


def test_a_timer_of_whoever_became_memprobe_is_the_programs() -> None:
    """Blocked until memprobe has begun: a signal that is ignored is the last of its timer."""
    allow = "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM]); "
    command = [PYTHON, "-c", ENDS_ON.format("SIGALRM", READY + allow)]
    with launched(command, wrapper=(PYTHON, "-c", ITIMER, *QUICKLY)) as program:
        said(program, "ready")
        assert program.wait(PATIENCE_S) == 9


def test_the_program_is_told_that_the_terminal_is_gone() -> None:
    """The kernel tells the leader of the session, and nobody else."""
    ours, theirs = os.openpty()
    command = ["setsid", "--ctty", *QUICKLY, "--", PYTHON, "-c", ENDS_ON.format("SIGHUP", READY)]
    leader = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        os.close(theirs)
        with os.fdopen(ours) as screen:
            assert screen.readline() == "ready\n"
        assert leader.wait(PATIENCE_S) == 9
    finally:
        leader.kill()
        leader.wait()


def test_ended_children_are_nobodys_business() -> None:
    """Who ignores SIGCHLD has the kernel collect its children: the program does, memprobe cannot."""
    code = READY + "import signal; sys.exit(4 + (signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN))"
    with launched([PYTHON, "-c", code], wrapper=("env", "--ignore-signal=CHLD", *QUICKLY)) as program:
        finished(program, 5)


def test_a_script_that_does_not_say_whose_it_is(tmp_path: Path) -> None:
    script = tmp_path / "start"
    script.write_text('echo "$0 $*"; exit 6\n')
    script.chmod(0o755)
    with launched([script, "a b"], wrapper=QUICKLY) as program:
        output, _ = finished(program, 6)
    assert output == f"{script} a b\n"


ASKS = """
import os, time
print("in front:", os.tcgetpgrp(0) == os.getpgrp() and os.isatty(0) and os.isatty(1))
print("hello", input("name? "))
try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    print("interrupted")
    time.sleep(2)
"""


def test_a_program_at_a_terminal(tmp_path: Path) -> None:
    """It is in the foreground, reads what is typed, has Ctrl-C once; memprobe is silent until then."""
    script = tmp_path / "asks.py"
    script.write_text(ASKS)
    report = tmp_path / "report"
    command = [*QUICKLY, "--report", str(report), "--", PYTHON, str(script)]
    with terminal(tmp_path, command, 80, 24) as shown:
        shown.wait(lambda lines: any("name?" in line for line in lines))
        shown.press("you", "Enter")
        shown.wait(lambda lines: "hello you" in lines)
        shown.press("C-c")
        screen = shown.wait(lambda lines: any("icanon" in line for line in lines))
    assert [line for line in screen if line] == [
        "in front: True",
        "name? you",
        "hello you",
        "^Cinterrupted",
        "icanon",
    ]
    assert "asks.py" in report.read_text()


@pytest.mark.parametrize("script", ["exec {}", "true; {}; exit 5"], ids=["exec", "in between"])
def test_a_shell_that_starts_python(targets: Path, tmp_path: Path, script: str) -> None:
    report = tmp_path / "report.json"
    shell = tmp_path / "start.sh"
    shell.write_text("#!/bin/sh\n" + script.format(shlex.join([PYTHON, str(targets / "leaking.py")])) + "\n")
    shell.chmod(0o755)
    with launched([shell], "--json", "--report", report, "--record", tmp_path / "r") as program:
        said(program, "ready")
        wait_for(tmp_path / "r", "samples", program)
        truth = json.loads(answer(program, "20"))
        finished(program, 5 if "exit" in script else 0)
    found = report_of(report)
    assert found["target"]["cmdline"] == [PYTHON, str(targets / "leaking.py")]
    assert found["target"]["python"] == pythons.own().patch
    assert found["target"]["ended"].startswith(f"it exited with code {5 if 'exit' in script else 0}")
    kept = [row for row in found["handles"] if "/etc/passwd" in "".join(row["examples"])]
    assert sum(row["open"] for row in kept) == 20
    assert sum(row["inherited"] for row in kept) == 0
    assert len(truth) > 40


def answer(program: subprocess.Popen[str], line: str) -> str:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(line + "\n")
    program.stdin.flush()
    return program.stdout.readline()


def wait_for_cmdline(recording: Path, word: str, program: subprocess.Popen[str]) -> None:
    """Wait until the report is about the process that was started with this."""

    def is_about() -> bool:
        assert program.poll() is None
        with RecordingReader(recording) as reader:
            return bool(reader.facts["target"]["cmdline"][-1].endswith(word))

    until(is_about)


@pytest.mark.few_interpreters
def test_one_python_becomes_another(interpreter: pythons.Interpreter, targets: Path, tmp_path: Path) -> None:
    """The first has a report of its own as long as it runs; in the end it is about the second."""
    report, recording = tmp_path / "report.json", tmp_path / "run.mprobe"
    command = interpreter.command(interpreter.path_inside(targets / "leaking.py"))
    code = f"import os, sys; {READY} sys.stdin.readline(); os.execvp({command[0]!r}, {command!r})"
    with launched([PYTHON, "-c", code], "--json", "--report", report, "--record", recording) as program:
        said(program, "ready")
        wait_for(recording, "samples", program)
        assert answer(program, "") == "ready\n"
        assert json.loads(answer(program, "20"))
        wait_for_cmdline(recording, "leaking.py", program)
        finished(program, 0)
    found = report_of(report)
    assert found["target"]["python"] == interpreter.patch
    assert found["target"]["cmdline"][-1].endswith("leaking.py")
    assert (
        sum(row["open"] for row in found["handles"] if row["kind"] == "file" and not row["inherited"]) == 20
    )
    assert document("report", str(recording)) == found


@pytest.mark.few_interpreters
@needs_root
def test_nothing_is_missed_and_nothing_is_called_inherited_that_is_not(
    bpf: None, interpreter: pythons.Interpreter, targets: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    command = interpreter.command(interpreter.path_inside(targets / "opens_at_once.py"))
    with launched(command, "--json", "--report", report, "--record", tmp_path / "r") as program:
        before = int(said(program, "ready"))
        wait_for(tmp_path / "r", "samples", program)
        finished(program, 0)
    found = report_of(report)
    assert found["target"]["tier"] == 2
    assert sum(row["inherited"] for row in found["handles"]) == before
    assert sum(row["open"] - row["inherited"] for row in found["handles"]) == 2
    assert {row["site"][0]["line"] for row in found["handles"] if row["site"]} <= {7}
    assert found["evidence"]["repaired"] == 0


@needs_root
def test_without_bpf_it_says_so(targets: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [PYTHON, str(targets / "piling_up.py")]
    options = ("--json", "--report", report, "--record", tmp_path / "r")
    with launched(command, *options, wrapper=(*WITHOUT_BPF, *RUN)) as program:
        said(program, "ready")
        wait_for(tmp_path / "r", "samples", program)
        finished(program, 0)
    found = report_of(report)
    assert found["target"]["tier"] == 1
    assert any("is not seen" in sentence for sentence in found["evidence"]["invisible"])


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("sh", "-c", "exit 5"), 5, "sh was not watched: no Python was seen in it before it ended"),
        (("true",), 0, "no Python was seen"),
        (("/no/such/command",), 127, "/no/such/command: No such file or directory"),
        (("/etc/passwd",), 126, "/etc/passwd: Permission denied"),
    ],
)
def test_what_cannot_be_watched_is_said_in_a_line(command: tuple[str, ...], code: int, words: str) -> None:
    assert words in complaint(run("run", "--engine", "proc", "--", *command), code)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--report", "/no/folder/f"), 8),
        (("--record", "/etc/passwd"), 8),
        (("--record", "/tmp/no-such-run", "--report", "/tmp/./no-such-run"), 2),
        (("--max-overhead", "0"), 2),
        ((), 2),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    ran = tmp_path / "ran"
    command = ("--", "touch", str(ran)) if options else ()
    complaint(run("run", *options, *command), code)
    assert not ran.exists()


BROKEN = """
import sys
from memprobe.session.arming import Armed
def arm(*_): raise RuntimeError("broken on purpose")
Armed.__init__ = arm
from memprobe.cli import main
sys.exit(main())
"""


def test_a_failure_of_memprobe_does_the_program_no_harm() -> None:
    with launched(
        [PYTHON, "-c", READY + "input(); sys.exit(3)"], wrapper=(PYTHON, "-c", BROKEN, *RUN[3:])
    ) as program:
        said(program, "ready")
        assert program.stdin is not None
        program.stdin.write("\n")
        _, errors = finished(program, 3)
    assert errors.startswith("memprobe: this is a bug in memprobe: RuntimeError: broken on purpose")
    assert len(errors.splitlines()) == 1


CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
"""What is started in it is the first process, and nobody else will collect what loses its parent."""

LEAVES = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        while os.getppid() != 1:
            time.sleep(0.01)
        os.write(writer, str(os.getpid()).encode())
    os._exit(0)
os.wait()
left = int(os.read(reader, 16))
while os.path.exists(f"/proc/{left}"):
    time.sleep(0.01)
print("ready", flush=True)
while True:
    time.sleep(0.05)  # not pause(): it would miss what came just before
"""


@needs_root
def test_the_first_process_of_a_container_collects_what_is_left_to_it() -> None:
    with launched([PYTHON, "-c", LEAVES], wrapper=(*CONTAINER, *QUICKLY)) as program:
        said(program, "ready")
        (first,) = psutil.Process(program.pid).children()
        first.send_signal(signal.SIGTERM)  # as who stops a container does
        finished(program, 9)


ALONE = """
import os, signal, sys, time
os.kill(os.getppid(), signal.SIGKILL)
while os.getppid() != 1:
    time.sleep(0.01)
print("alone", flush=True)
"""
"""Kills memprobe, and says so once it is a child of the first process."""

ENDS = "sys.exit(9)\n"
WAITS = """
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
print("waiting", flush=True)
while True:
    time.sleep(0.05)  # not pause(): it would miss what came just before
"""
LEAVES_ONE = """
import subprocess
subprocess.Popen(["sleep", "3600"], **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL))
"""


@needs_root
def test_in_a_container_the_program_outlives_memprobe_too() -> None:
    with launched([PYTHON, "-c", ALONE + ENDS], wrapper=(*CONTAINER, *QUICKLY)) as program:
        output, _ = finished(program, 9)
    assert output == "alone\n"


@needs_root
def test_in_a_container_the_program_gets_its_signals_though_memprobe_was_killed() -> None:
    with launched([PYTHON, "-c", ALONE + WAITS], wrapper=(*CONTAINER, *QUICKLY)) as program:
        said(program, "waiting")
        (first,) = psutil.Process(program.pid).children()
        first.send_signal(signal.SIGTERM)
        finished(program, 7)


@needs_root
def test_in_a_container_what_a_program_leaves_does_not_keep_it_if_memprobe_was_killed() -> None:
    """As it would not have kept it if the program had been the first process itself."""
    with launched([PYTHON, "-c", LEAVES_ONE + ALONE + ENDS], wrapper=(*CONTAINER, *QUICKLY)) as program:
        finished(program, 9)


def test_the_program_outlives_memprobe() -> None:
    command = [PYTHON, "-c", READY + "print(input()[::-1], flush=True)"]
    with launched(command, wrapper=QUICKLY) as program:
        said(program, "ready")
        program.kill()
        program.wait()
        assert answer(program, "olleh") == "hello\n"


GROWS = """
import select, sys
KEPT, OPEN = [], [open("/etc/passwd") for _ in range(100)]
while not select.select([sys.stdin], [], [], 0.02)[0]:
    KEPT.extend(str(n) * 9 for n in range(50))
sys.exit(int(sys.argv[1]))
"""
"""Grows until its input ends."""

SOON = ("--preset", "aggressive", "--min-confidence", "0.01")


def wait_for_finding(recording: Path, holder: str) -> None:
    """Wait until it is told who holds what piles up."""
    until(lambda: any(one["holder"] == holder for one in document("report", str(recording))["findings"]), 0.5)


@needs_root
def test_an_ordinary_user_sees_what_piles_up_and_is_told_what_is_not_seen(tmp_path: Path) -> None:
    """One's own child may be read; of the kernel nothing may be asked."""
    script, recording = tmp_path / "grows.py", tmp_path / "run.mprobe"
    script.write_text(GROWS)
    os.chown(tmp_path, NOBODY, NOBODY)
    options = (*SOON, "--json", "--record", recording)
    with launched([PYTHON, script, "3"], *options, wrapper=(*ORDINARY, *RUN)) as program:
        wait_for(recording, "samples", program)
        wait_for_finding(recording, "__main__.KEPT")
        _, errors = finished(program, 3)
    report = json.loads(errors)
    assert report["target"]["tier"] == 1
    assert sum(row["open"] for row in report["handles"] if "/etc/passwd" in row["examples"]) == 100
    assert "__main__.KEPT" in [one["holder"] for one in report["findings"]]
    assert any("sudo" in sentence for sentence in report["evidence"]["invisible"])


def test_findings_fail_the_command_only_if_the_program_ends_well(tmp_path: Path) -> None:
    script = tmp_path / "grows.py"
    script.write_text(GROWS)
    options = (*SOON, "--fail-on", "any", "--record")
    good, bad = ([PYTHON, str(script), code] for code in "03")
    with (
        launched(good, *options, tmp_path / "good", wrapper=QUICKLY) as well,
        launched(bad, *options, tmp_path / "bad", wrapper=QUICKLY) as badly,
    ):
        for program, name, expected in ((well, "good", 1), (badly, "bad", 3)):
            wait_for(tmp_path / name, "samples", program)
            wait_for_finding(tmp_path / name, "__main__.KEPT")
            _, errors = finished(program, expected)
            assert "KEPT" in errors
