"""protect() in an application: what it finds, what it costs nobody, and that nothing is left of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pythons
from cli.unprivileged import needs_root
from inside.protected import Watched, guards, nothing_is_left, sockets, watched

SHARP = "poll_interval_s=0.2, preset='aggressive'"
PATIENCE_S = 90


def found(program: Watched, holder: str) -> dict[str, object]:
    """Ask until the leak is found."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        for one in program("analyze()"):
            if one["holder"] == holder and one["confidence"] >= 0.5:
                return dict(one)
        time.sleep(0.2)
    raise AssertionError(f"not found: {program('get_report()')['findings']}; {program.target.errors()}")


@pytest.mark.parametrize("ordinary", [False, True], ids=["root", "an ordinary user"])
@needs_root
def test_a_leak_is_found_told_and_judged(
    interpreter: pythons.Interpreter, tmp_path: Path, ordinary: bool
) -> None:
    with watched(interpreter, tmp_path, ordinary=ordinary) as program:
        pid = program.target.pid
        assert program.protect(SHARP) is True
        assert program.protect() is True
        assert len(guards(pid)) == 1
        program("threading.Thread(target=leak, daemon=True).start()")
        leak = found(program, "__main__.CACHE")
        assert leak["kind"] == "caches"
        report = program("get_report()")
        assert (report["schema"], report["target"]["pid"]) == ("memprobe.report/1", pid)
        assert report["target"]["tier"] >= 1
        assert str(leak["id"]) in program.target.errors()
        assert program(f"record_user_feedback({leak['id']!r}, False, 'it is meant to be so')") is True
        (calmer,) = [one for one in program("analyze()") if one["id"] == leak["id"]]
        assert calmer["confidence"] < leak["confidence"]
        assert any("it is meant to be so" in sentence for sentence in calmer["evidence"])
        assert program("stop()") is True
        assert guards(pid) == []
        assert sockets(pid) == []
        assert program("[stop(), analyze(), get_report()]") == [False, [], None]
        assert program("[name for name in os.listdir('/proc/self/fd') if int(name) > 2]") != []
    assert (tmp_path / "memprobe").exists()


def test_what_is_protected_is_not_reported(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        program.protect(f"{SHARP}, patterns=['holder=__main__.CACHE # it is one']")
        program("threading.Thread(target=leak, daemon=True).start()")
        end_s = time.monotonic() + PATIENCE_S
        while not (withheld := program("get_report()")["withheld"]) and time.monotonic() < end_s:
            time.sleep(0.5)
        assert withheld[0]["reason"] == "it is one"
        assert program("get_report()")["findings"] == []
        assert "__main__.CACHE" not in program.target.errors()


def test_below_its_threshold_nothing_is_written(tmp_path: Path) -> None:
    with watched(pythons.own(), tmp_path) as program:
        program.protect(f"threshold_mb=100000, {SHARP}")
        program("threading.Thread(target=leak, daemon=True).start()")
        found(program, "__main__.CACHE")
        assert program.target.errors() == ""


def test_a_fork_is_watched_by_the_guard_of_its_parent(
    interpreter: pythons.Interpreter, tmp_path: Path
) -> None:
    with watched(interpreter, tmp_path) as program:
        program.protect()
        (guard,) = guards(program.target.pid)
        words = f"[protect(command={program.command!r}), get_report()['target']['pid'], stop()]"
        assert program(f"in_fork({words!r})") == [True, program.target.pid, False]
        assert guards(program.target.pid) == [guard]
        assert program("stop()") is True
        assert nothing_is_left(program.target.pid)


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
            stranger.settimeout(30)
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
        (guard,) = guards(program.target.pid)
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
        program.target.process.wait(60)
        assert "memprobe: no leak found" in program.target.errors()
        assert nothing_is_left(program.target.pid)
