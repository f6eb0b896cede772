"""memprobe from inside an application: `protect()` has memprobe watch this very process, from outside.

This one file is all there is: CPython 3.8 or newer, no dependency. It starts the command `memprobe guard`, a
process of its own, and asks it through a unix socket. The application gets no thread and no tracing.
The file is in memprobe, and alone in the distribution memprobe-inside (as module memprobe_inside).
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

__all__ = ["analyze", "get_report", "protect", "protect_dev", "record_user_feedback", "stop"]

LOG = logging.getLogger("memprobe")

PR_SET_PTRACER = 0x59616D61
"""prctl(2): who may read this process's memory where Yama restricts that; forgotten in forks."""

LAUNCH = 'exec 3<&0; "$@" <&3 3<&- >/dev/null & echo $!'
"""Starts a command that is no child of the application: nothing to wait for, no SIGCHLD. Tells its pid."""

ASPECTS = ("path", "peer", "type", "holder")
"""What of a finding a pattern may be about."""

START_S = 20.0
"""The guard imports numpy and reads the process before it answers; on a loaded machine that takes seconds."""

STOP_S = 60.0
"""The kernel takes 0.1 s to let go of each of some 25 probes, and longer while others wait for the same."""

LONGEST_S = 1e6
"""For ever."""

REPLY_LIMIT = 64 << 20
_CREDENTIALS = struct.Struct("3i")


class _Guard:
    """The process that watches this one; a fork has its parent's."""

    def __init__(self, pid: int, name: str) -> None:
        self.pid, self.name, self.owner = pid, name, os.getpid()
        self._begun = _begun(pid)

    def is_alive(self) -> bool:
        """Tell whether it runs; collect it where it came to be a child of this process, as below a pid 1."""
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except OSError:  # not a child
            pass
        return self._begun is not None and self._begun == _begun(self.pid)


def _begun(pid: int) -> bytes | None:
    """Return when a process has begun, in ticks; None if it has ended, even where nobody collects it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19]


_guard: _Guard | None = None
_lock = threading.RLock()
_is_prepared = False
_has_warned = False


def protect(
    threshold_mb: float | None = None,
    poll_interval_s: float | None = None,
    patterns: Sequence[str] = (),
    sample_rate: float | None = None,
    *,
    max_overhead_pct: float | None = None,
    preset: str | None = None,
    command: str | Sequence[str] | None = None,
) -> bool:
    """Have memprobe watch this process and its forks; return whether it does.

    What leaks is written to standard error, one line when it is sure. What is None is as memprobe is
    configured on this machine (`memprobe config show`).

    threshold_mb      say nothing before this process or a fork takes so much memory; None: say it at once
    poll_interval_s   seconds between two looks at numbers and at the lengths of what grows
    patterns          what is never reported, and why: "holder=app.cache.* # has its own limit"; * stands for
                      anything; a path, a peer, a type or a holder
    sample_rate       of the files and sockets that are opened so large a part has its stack taken
    max_overhead_pct  what this process may lose, in percent of the CPU time that it uses
    preset            default, production, development or aggressive
    command           how memprobe is called, if not `memprobe`

    Called again, in a fork too, it changes nothing: what is watched is watched. Where memprobe is not
    installed or cannot be started, that is logged once, and the application runs on.
    """
    settings = {
        "intervals.scan_s": _number("poll_interval_s", poll_interval_s, 0.1, 3600),
        "sampling.stack_every": _every(_number("sample_rate", sample_rate, 1e-6, 1)),
        "budget.slowdown_pct": _number("max_overhead_pct", max_overhead_pct, 0.001, 100),
    }
    orders = {
        "threshold_mb": _number("threshold_mb", threshold_mb, 0, 1e9),
        "preset": preset,
        "settings": {key: value for key, value in settings.items() if value is not None},
        "patterns": _patterns(patterns),
    }
    with _lock:
        if _guard is not None and _guard.is_alive():
            return True
        return _start(_command(command), orders)


def protect_dev(**settings: Any) -> bool:
    """Watch as `protect` does, with the preset "development", and sum up at the exit what was found.

    Takes what `protect` takes.
    """
    if not protect(**{"preset": "development", **settings}):
        return False
    atexit.unregister(_tell_at_exit)
    atexit.register(_tell_at_exit)
    return True


def stop() -> bool:
    """End the watching; return whether there was any. It waits until nothing is left of it.

    A fork cannot end what its parent has begun; it returns False there.
    """
    global _guard
    with _lock:
        guard = _guard
        if guard is None or guard.owner != os.getpid():
            return False
        _end(guard)
        _guard = None
        _allow(0)
        return True


def analyze(timeout_s: float = 60.0) -> list[dict[str, Any]]:
    """Have the heap looked at now; return the findings, worst first, as `memprobe.report/1` has them.

    Empty if nothing leaks, and where nothing watches. A leak shows in how something grows: a process that is
    watched for some seconds only has no findings yet.
    """
    reply = _ask({"ask": "analyze"}, timeout_s)
    return [] if reply is None else list(reply["report"]["findings"])


def get_report(timeout_s: float = 60.0) -> dict[str, Any] | None:
    """Return the report of what was seen so far (`memprobe.report/1`); None where nothing watches."""
    reply = _ask({"ask": "report"}, timeout_s)
    return None if reply is None else dict(reply["report"])


def record_user_feedback(key: str, is_leak: bool, reason: str = "", timeout_s: float = 60.0) -> bool:
    """Say of a finding (its `id`), a birth site or an extension that it is a leak indeed, or none.

    It counts from the next verdict on and is remembered, as by `memprobe learn feedback`.
    Return whether memprobe has heard it.
    """
    word = {"ask": "feedback", "key": key, "is_leak": bool(is_leak), "reason": reason}
    return _ask(word, timeout_s) is not None


# Starting and ending it --------------------------------------------------------------------------------


def _start(command: list[str] | None, orders: dict[str, Any]) -> bool:
    """Start the guard and allow it to read this process, before it is told what to do."""
    global _guard
    if command is None:
        _warn("memprobe is not installed on this machine: the application runs on unwatched")
        return False
    _prepare()
    name = f"memprobe-{os.getpid()}-{os.urandom(8).hex()}"
    try:
        pid, line = _launched([*command, "guard", str(os.getpid())])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _warn(f"memprobe could not be started ({error}): the application runs on unwatched")
        return False
    _allow(pid)
    try:
        with line:
            _send(line, {**orders, "socket": name})
    except OSError:  # it has ended at once, and has said why on standard error
        _allow(0)
        return False
    _guard = _Guard(pid, name)
    return True


def _launched(command: list[str]) -> tuple[int, socket.socket]:
    """Start a command; return its pid, and a line to its standard input."""
    ours, theirs = socket.socketpair()
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", LAUNCH, "sh", *command],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is not for it
            check=True,
            timeout=START_S,
        )
        return int(done.stdout), ours
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()


def _environment() -> dict[str, str]:
    """Return the environment without what steers this Python: memprobe has one of its own."""
    keep = "PYTHONDONTWRITEBYTECODE"
    steering = ("PYTHON", "LD_PRELOAD")
    return {
        name: value for name, value in os.environ.items() if name == keep or not name.startswith(steering)
    }


def _command(command: str | Sequence[str] | None) -> list[str] | None:
    """Return how memprobe is called; None if it is not here."""
    words = [command] if isinstance(command, str) else list(command or ["memprobe"])
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders = [os.path.dirname(sys.executable or ""), *path, "/usr/local/bin"]
    # Not where the application happens to stand: anybody might have put a file there.
    found = shutil.which(words[0], path=os.pathsep.join(filter(os.path.isabs, folders)))
    return None if found is None else [found, *words[1:]]


def _end(guard: _Guard) -> None:
    """End the guard: ask it; while it can be reached it is no other process, and may be killed."""
    try:
        with _connected(guard, time.monotonic() + START_S) as connection:
            _send(connection, {"ask": "stop"})
            try:
                _received(connection, time.monotonic() + STOP_S)
            except socket.timeout:
                os.kill(guard.pid, signal.SIGKILL)
    except OSError:
        pass  # it is gone
    end_s = time.monotonic() + STOP_S
    while guard.is_alive() and time.monotonic() < end_s:
        time.sleep(0.005)


def _prepare() -> None:
    """Have forks allow what this process does: once for ever, a handler cannot be taken back."""
    global _is_prepared
    if not _is_prepared:
        _is_prepared = True
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # whoever held it is not here
    atexit.unregister(_tell_at_exit)
    if _guard is not None:
        _allow(_guard.pid)


def _allow(pid: int) -> None:
    """Let this process be read by another and its children, and by nobody else; 0: by nobody."""
    try:
        import ctypes

        # A kernel without Yama knows no such call, and needs none.
        _prctl()(PR_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        LOG.debug("prctl cannot be called")


@lru_cache
def _prctl() -> Any:
    """Return the function, looked up before any fork: a thread that is not there has the linker's lock."""
    import ctypes

    return ctypes.CDLL(None).prctl


# Asking it ---------------------------------------------------------------------------------------------


def _ask(request: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
    """Ask the guard; None where there is none, or it does not answer."""
    guard, end_s = _guard, time.monotonic() + timeout_s
    if guard is None:
        return None
    try:
        with _connected(guard, end_s) as connection:
            _send(connection, {**request, "timeout_s": timeout_s})
            reply = json.loads(_received(connection, end_s))
    except (OSError, ValueError) as error:
        LOG.warning("memprobe does not answer: %s", error)
        return None
    if not isinstance(reply, dict) or "error" in reply:
        LOG.warning("memprobe: %s", reply.get("error") if isinstance(reply, dict) else "no answer")
        return None
    return reply


def _connected(guard: _Guard, end_s: float) -> socket.socket:
    """Connect to the guard, and to nobody else; it may just be starting."""
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left_s(end_s))
            connection.connect("\0" + guard.name)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            if _CREDENTIALS.unpack(peer)[0] != guard.pid:
                raise PermissionError("another process has its socket")
            return connection
        except (ConnectionRefusedError, BlockingIOError):  # it starts; too many ask at once
            connection.close()
            if time.monotonic() >= end_s or not guard.is_alive():
                raise
            time.sleep(0.02)
        except BaseException:
            connection.close()
            raise


def _left_s(end_s: float) -> float:
    """Return how long to wait yet, in numbers that a socket takes."""
    return min(max(0.01, end_s - time.monotonic()), LONGEST_S)


def _send(connection: socket.socket, request: dict[str, Any]) -> None:
    # An application may have given SIGPIPE its default back, which is death.
    connection.sendall(json.dumps(request).encode() + b"\n", socket.MSG_NOSIGNAL)


def _received(connection: socket.socket, end_s: float) -> bytes:
    """Return all that the other side says before it hangs up."""
    parts: list[bytes] = []
    size = 0
    while size <= REPLY_LIMIT:
        connection.settimeout(_left_s(end_s))
        part = connection.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise ValueError("the answer is too long")


# Words -------------------------------------------------------------------------------------------------


def _tell_at_exit() -> None:
    """Write what was found, while there is somebody to ask."""
    found = analyze(timeout_s=10.0)
    stop()
    lines = [f"memprobe: {one['kind']} ({100 * one['confidence']:.0f} %): {one['title']}" for one in found]
    if sys.stderr is not None:
        sys.stderr.write("\n".join(lines or ["memprobe: no leak found"]) + "\n")


def _warn(sentence: str) -> None:
    global _has_warned
    if not _has_warned:
        _has_warned = True
        LOG.warning("%s", sentence)


def _number(name: str, value: Any, low: float, high: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}, not {value!r}")
    return float(value)


def _every(share: float | None) -> int | None:
    return None if share is None else round(1 / share)


def _patterns(patterns: Sequence[str]) -> list[str]:
    if isinstance(patterns, str) or not all(isinstance(one, str) for one in patterns):
        raise TypeError("patterns must be a sequence of strings")
    for one in patterns:
        if one.partition("=")[0].strip() not in ASPECTS or " #" not in one:
            raise ValueError(f"{one!r} is not of the form WHAT=PATTERN # REASON, WHAT {', '.join(ASPECTS)}")
    return list(patterns)
