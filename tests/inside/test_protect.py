"""protect() in an application: what it finds, what it costs nobody, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

import pythons
from cli.running import COMMAND, complaint
from cli.unprivileged import needs_root
from inside.protected import Watched, guard_of, guards, nothing_is_left, sockets, watched
from memprobe.guard import door
from memprobe.learned.opening import NAME
from patience import PATIENCE_S, until

SHARP = "poll_interval_s=0.2, preset='aggressive'"
AT_ONCE = 4
"""Interpreters, each with two programs and their guards."""


def found(program: Watched) -> dict[str, Any]:
    """Ask until the leak is found."""

    def surely() -> dict[str, Any] | None:
        leak = held_by_cache(program(f"get_report({PATIENCE_S})"))
        return leak if leak["confidence"] >= 0.5 else None

    return until(surely, pause_s=0.5) or {}


def held_by_cache(report: dict[str, Any]) -> dict[str, Any]:
    return next((one for one in report["findings"] if one["holder"] == "__main__.CACHE"), {"confidence": 0.0})


def told(program: Watched, key: str) -> bool:
    """Whether a finding was written to standard error: after the next look, a moment after it was found."""
    return key in program.target.errors()


def leaking(program: Watched, settings: str) -> Watched:
    """Have a program watched, and leak."""
    assert program.protect(settings) is True
    program("threading.Thread(target=leak, daemon=True).start()")
    return program


@needs_root
def test_a_leak_is_found_on_every_interpreter(tmp_path: Path) -> None:
    """As root, and as an ordinary user who wants no word of it; some at once, as evidence takes its time."""
    left = list(pythons.INTERPRETERS)
    while left:
        leaks_are_found(left[:AT_ONCE], tmp_path)
        del left[:AT_ONCE]
    assert {path.name.removesuffix(".lock") for path in tmp_path.rglob("*") if path.is_file()} == {NAME}


def leaks_are_found(interpreters: list[pythons.Interpreter], folder: Path) -> None:
    with ExitStack() as held:

        def begun(one: pythons.Interpreter, settings: str, *, ordinary: bool) -> Watched:
            state = folder / f"{one}-{ordinary}"
            program = held.enter_context(watched(one, state, ordinary=ordinary, engine="auto"))
            leaking(program, settings)
            assert program(f"get_report({PATIENCE_S})['target']['tier']") >= 1
            return program

        roots = [begun(one, SHARP, ordinary=False) for one in interpreters]
        users = [begun(one, f"threshold_mb=100000, {SHARP}", ordinary=True) for one in interpreters]
        leaks = [found(program) for program in (*roots, *users)]
        assert {leak["kind"] for leak in leaks} == {"caches"}
        for root, leak in zip(roots, leaks, strict=False):
            until(partial(told, root, leak["id"]))
        assert "".join(user.target.errors() for user in users) == ""
        judged(roots[0], leaks[0])
        judged(users[0], leaks[len(roots)])
        ended(*roots, *users)


def test_what_is_protected_is_withheld(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        leaking(program, f"patterns=['holder=__main__.CACHE # it is one'], {SHARP}")
        until(lambda: program("get_report()['withheld']"), pause_s=0.5)
        seen = program("get_report()")
        assert (seen["findings"], seen["withheld"][0]["reason"]) == ([], "it is one")
        assert program.target.errors() == ""


def judged(program: Watched, leak: dict[str, Any]) -> None:
    """Say that it is none: it counts from the next verdict on."""
    report = program("get_report()")
    assert (report["schema"], report["target"]["pid"]) == ("memprobe.report/1", program.target.pid)
    assert report["target"]["tier"] >= 1
    assert program(f"record_user_feedback({leak['id']!r}, False, 'it is meant to be so')") is True
    (calmer,) = [one for one in program("analyze()") if one["id"] == leak["id"]]
    assert calmer["confidence"] < 0.7  # which is what that leaves of 0.99
    assert any("it is meant to be so" in sentence for sentence in calmer["evidence"])


def ended(*programs: Watched) -> None:
    """Stop them, all at once: nothing is left then."""
    for program in programs:
        program.target.send("stop()")
    for program in programs:
        assert json.loads(program.target.expect("", PATIENCE_S)) is True
        assert guards(program.target.pid) == []
        assert sockets(program.target.pid) == []
        assert program("[stop(), analyze(), get_report()]") == [False, [], None]


def test_a_fork_is_watched_by_the_guard_of_its_parent(
    interpreter: pythons.Interpreter, tmp_path: Path
) -> None:
    with watched(interpreter, tmp_path) as program:
        assert [program.protect(), program.protect()] == [True, True]
        guard = guard_of(program.target.pid)
        words = f"[protect(command={program.command!r}), get_report()['target']['pid'], stop()]"
        assert program(f"in_fork({words!r})") == [True, program.target.pid, False]
        assert guard_of(program.target.pid) == guard
        assert program("get_report()")["target"]["tier"] >= 1
        ended(program)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_application(tmp_path: Path, number: int) -> None:
    with watched(pythons.own(), tmp_path) as program:
        program.protect()
        assert program("get_report() is None") is False
        os.kill(program.target.pid, number)
        assert nothing_is_left(program.target.pid)


def test_the_application_outlives_its_guard(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        program.protect()
        assert program("get_report() is None") is False
        for guard in guards(program.target.pid):
            os.kill(guard, signal.SIGKILL)
        assert nothing_is_left(program.target.pid)
        assert program("[get_report(), analyze()]") == [None, []]
        assert program.protect() is True
        assert program("get_report() is None") is False
        assert program("stop()") is True
        assert "memprobe does not answer" in program.target.errors()


UNCOLLECTED = f"""
import ctypes, os, signal, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
application = os.fork()
if application == 0:
    import memprobe
    for _ in range(2):
        protected = memprobe.protect(command=[{sys.executable!r}, "-m", "memprobe.cli"])
        print(protected, memprobe.get_report(float("inf")) is not None, flush=True)
        guard = memprobe.inside._guard.pid
        os.kill(guard, signal.SIGKILL)
        while b") Z " not in open("/proc/%d/stat" % guard, "rb").read(): time.sleep(0.01)
    os._exit(0)
os.waitpid(application, 0)
"""


def test_a_guard_that_has_ended_and_that_nobody_collects() -> None:
    """Its parent is the first process of a container, which may not care."""
    command = ["env", "MEMPROBE_RUN_ENGINE=proc", sys.executable, "-c", UNCOLLECTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.stdout == "True True\n" * 2, done.stderr


def test_an_application_that_ends_at_once(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        program.protect()
        program.target.send("os._exit(0)")
        assert nothing_is_left(program.target.pid)
        assert program.target.errors() == ""


def test_a_stranger_is_not_heard(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        program.protect()
        assert program("get_report() is None") is False
        (name,) = sockets(program.target.pid)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
            stranger.settimeout(PATIENCE_S)
            stranger.connect(f"\0{name[1:]}")
            stranger.sendall(b'{"ask": "stop"}\n')
            assert heard(stranger) == b""
        assert program("get_report() is None") is False


def heard(stranger: socket.socket) -> bytes:
    try:
        return stranger.recv(100)
    except ConnectionResetError:  # hung up before it was read
        return b""


def test_without_memprobe_it_warns_once_and_runs_on(interpreter: pythons.Interpreter, tmp_path: Path) -> None:
    with watched(interpreter, tmp_path) as program:
        assert program("[protect(command='/no/memprobe') for _ in range(3)]") == [False] * 3
        assert program("[stop(), analyze(), get_report(), record_user_feedback('x', True)]") == [
            False,
            [],
            None,
            False,
        ]
        assert program.target.errors().splitlines() == [
            "memprobe is not installed on this machine: the application runs on unwatched"
        ]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("protect(threshold_mb='much')", "TypeError: threshold_mb must be a number, not str"),
        ("protect(sample_rate=2)", "ValueError: sample_rate must be from 1e-06 to 1, not 2"),
        ("protect(poll_interval_s=float('nan'))", "ValueError: poll_interval_s must be"),
        ("protect(patterns='app.*')", "TypeError: patterns must be a sequence of strings"),
        ("protect(patterns=['app.*'])", "'app.*' is not of the form WHAT=PATTERN # REASON"),
    ],
)
def test_what_it_cannot_do_it_does_not_take(call: str, error: str) -> None:
    program = f"from memprobe import protect\n{call}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert error in done.stderr.splitlines()[-1]


PTRACER = """
class Recorder:
    def __init__(self, name): pass
    def prctl(self, *words): CALLS.append([getattr(word, "value", word) for word in words])
"""


def test_only_the_guard_is_allowed_to_read(interpreter: pythons.Interpreter, tmp_path: Path) -> None:
    """What Yama is told, which need not be here: the pid of the guard, in forks too; at the end nobody's."""
    with watched(interpreter, tmp_path) as program:
        program(f"exec({PTRACER!r}, globals())")
        program("exec('import ctypes; CALLS = []; ctypes.CDLL = Recorder', globals())")
        program.protect()
        guard = guard_of(program.target.pid)
        allowed = [0x59616D61, guard, 0, 0, 0]
        assert program("CALLS") == [allowed]
        assert program("in_fork('CALLS')") == [allowed, allowed]
        program("stop()")
        assert program("CALLS")[1:] == [[0x59616D61, 0, 0, 0, 0]]


def test_at_the_exit_of_a_program_in_development(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        assert program(f"protect_dev(command={program.command!r})") is True
        assert program("get_report() is None") is False
        program.target.send("sys.exit()")
        program.target.process.wait(PATIENCE_S)
        assert "memprobe: no leak found" in program.target.errors()
        assert nothing_is_left(program.target.pid)


@pytest.mark.parametrize("orders", ["", "{}", '{"socket": "mine", "threshold_mb": null}'])
def test_it_is_not_called_by_hand(orders: str) -> None:
    command = [*COMMAND, "guard", str(os.getpid())]
    done = subprocess.run(command, input=orders, capture_output=True, text=True)
    assert "standard input has no orders of an application" in complaint(done, 2)


FULL = """
import os
from memprobe.guard.guarding import say
_, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"." * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
os.dup2(writer, 2)
say("there is no room for this")
"""


def test_it_does_not_wait_for_who_reads_the_errors_of_the_application() -> None:
    subprocess.run([sys.executable, "-c", FULL], check=True, timeout=PATIENCE_S)


class Dripping:
    """A connection on which a letter comes every now and then."""

    now_s = 0.0

    def settimeout(self, seconds: float) -> None:
        assert 0 < seconds <= door.PATIENCE_S

    def recv(self, size: int) -> bytes:
        Dripping.now_s += 0.9 * door.PATIENCE_S
        return b"x"


def test_who_says_its_word_letter_by_letter_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memprobe.guard.door.time.monotonic", lambda: Dripping.now_s)
    with pytest.raises(TimeoutError):
        door._line(cast(socket.socket, Dripping()))
