"""Start a program that waits at a gate until everything is ready to watch it."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from shutil import which

from memprobe.errors import NoMoreProcesses
from memprobe.target.forking import fork

NOT_FOUND, NOT_RUNNABLE = 127, 126
"""What a shell reports of a command that there is not, and of one that cannot be run."""

SIGNAL = 128
"""A shell adds this to the number of the signal that has ended a program."""

_CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them from its start on; a program does not expect that."""


PR_SET_PTRACER = 0x59616D61
"""prctl(2); heaps are looked at by children of memprobe, of which the program does not descend."""


class CannotRun(Exception):
    """There is no such command, or it cannot be run."""


class Launched:
    """A program in a child process: first it waits, then it runs, and once it has ended it is collected.

    It has memprobe's standard streams, its terminal and its process group: a terminal treats both alike.
    """

    def __init__(
        self, command: Sequence[str], mask: set[int], ignored: Sequence[signal.Signals] = ()
    ) -> None:
        """Fork; `mask` is what the program finds blocked, `ignored` what memprobe does not ignore itself.

        Raises NoMoreProcesses if there can be no child.
        """
        self.command = tuple(command)
        waits_at, self._gate = os.pipe()
        self._failed, failing = os.pipe()
        watcher = os.getpid()
        try:
            self.pid = fork()
        except NoMoreProcesses:
            for descriptor in (waits_at, self._gate, self._failed, failing):
                os.close(descriptor)
            raise
        if self.pid == 0:
            os.close(self._gate)
            prepare = partial(_prepare, mask, ignored, watcher)
            _become(self.command, prepare, waits_at, failing)
        os.close(waits_at)
        os.close(failing)

    def release(self) -> None:
        """Let it run; raises CannotRun. May be called twice."""
        if self._gate < 0:
            return
        with suppress(BrokenPipeError):  # a signal has ended it at the gate
            os.write(self._gate, b"\0")
        os.close(self._gate)
        self._gate = -1
        # Closed by exec: so this waits until the program has begun.
        code = os.read(self._failed, 16)
        os.close(self._failed)
        if code:
            raise CannotRun(f"{self.command[0]}: {os.strerror(int(code))}")

    def await_end(self) -> None:
        """Wait until it has ended; its pid stays its own."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def collect(self) -> int:
        """Wait for its end, collect it and return its exit code as a shell would."""
        return shell_code(os.waitpid(self.pid, 0)[1])


def shell_code(status: int) -> int:
    """Return the exit code that a shell reports of a process that has ended with a status."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNAL - code


def _become(command: tuple[str, ...], prepare: Callable[[], None], gate: int, failing: int) -> None:
    """Wait at the gate and become the program; if memprobe dies meanwhile, too."""
    code = NOT_RUNNABLE
    try:
        prepare()
        os.read(gate, 1)
        _exec(command)
    except OSError as error:
        code = NOT_FOUND if error.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_RUNNABLE
        os.write(failing, str(error.errno or 0).encode())
    finally:
        os._exit(code)


def _prepare(mask: set[int], ignored: Sequence[signal.Signals], watcher: int) -> None:
    _let_be_read(watcher)
    _forget_handlers()
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _let_be_read(watcher: int) -> None:
    """Let this process be read by children of memprobe, too, where Yama would let only memprobe itself."""
    try:
        # A kernel without Yama knows no such call, and needs none. It holds beyond exec, not in forks.
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(watcher), 0, 0, 0)
    except (OSError, AttributeError):
        pass


def _exec(command: tuple[str, ...]) -> None:
    try:
        os.execvp(command[0], command)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # As execvp(3) does, and so env, nohup and timeout: a script that does not say whose it is.
    os.execv("/bin/sh", ["sh", which(command[0]) or command[0], *command[1:]])


def _forget_handlers() -> None:
    """Leave no handler of memprobe's; what was ignored by whoever started it stays ignored."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)) or number in _CHANGED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
