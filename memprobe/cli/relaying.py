"""Signals that are sent to memprobe while a program runs in its place: they are the program's."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from memprobe.target.proc.descent import descends

RELAYED = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
}
STOPPING = (signal.SIGTTIN, signal.SIGTTOU)
SI_KERNEL = 0x80
"""si_code of a signal from the terminal, or of a timer."""


class Relay:
    """Holds signals back from memprobe until the block ends, and hands them on to a program."""

    def __init__(self) -> None:
        self.mask: set[int] = set()
        """What was blocked before: what the program is to find."""

        self._thread: threading.Thread | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        self.mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, RELAYED))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._thread is not None and self._thread.ident is not None:
            with suppress(ProcessLookupError):
                signal.pthread_kill(self._thread.ident, signal.SIGUSR1)
            self._thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)

    def begin(self, receiver: Callable[[], int]) -> None:
        """Hand on from now on; `receiver` says to which process each signal goes, 0 for nobody."""
        self._thread = threading.Thread(target=self._relay, args=[receiver], name="signals", daemon=True)
        self._thread.start()

    def _relay(self, receiver: Callable[[], int]) -> None:
        while True:
            sent = signal.sigwaitinfo(RELAYED)
            if self._is_over:
                return
            pid = receiver()
            if pid:
                _hand_on(sent, pid)


def _hand_on(sent: signal.struct_siginfo, pid: int) -> None:
    if sent.si_code == SI_KERNEL and not _is_for_memprobe_alone(sent.si_signo):
        if sent.si_signo in STOPPING:  # the program has used the terminal from the background: the job stops
            os.kill(os.getpid(), signal.SIGSTOP)
    elif not descends(sent.si_pid, pid):  # else it has signalled its whole group: it has it
        with suppress(ProcessLookupError):
            os.kill(pid, sent.si_signo)


def _is_for_memprobe_alone(number: int) -> bool:
    """Tell it from one that the whole foreground group of the terminal has, and so the program, too."""
    if number == signal.SIGHUP:  # the terminal is gone: only the leader of its session is told
        return os.getsid(0) == os.getpid()
    return number == signal.SIGALRM  # alarm(2) of whoever became memprobe
