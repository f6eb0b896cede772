"""memprobe as the first process of a container: every process that loses its parent becomes its child."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from functools import partial
from mmap import PAGESIZE, mmap

from memprobe.cli.relaying import Relay
from memprobe.target.forking import fork
from memprobe.target.launch import shell_code

_NUMBER = struct.Struct("=i")


def step_aside() -> Callable[[int], None]:
    """Go on in a child, if this is the first process; which collects from now on, and ends as the child does.

    It does nothing else: to tell those that are left to it from what memprobe waits for itself is not easy.
    Tell what is returned the pid of the program as long as it runs, and 0 afterwards: should memprobe be
    killed meanwhile, signals are handed on to the program, and its end is that of the container.
    """
    if os.getpid() != 1:
        return lambda _: None
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # what is buffered here would be the child's, too
    told = mmap(-1, PAGESIZE)  # both see it
    pid = fork()
    if pid == 0:
        return partial(_NUMBER.pack_into, told, 0)
    with Relay() as relay:
        first = _First(pid, told)
        relay.begin(first.receiver)
        os._exit(first.collected())


class _First:
    """Collects, and knows for whom signals are."""

    def __init__(self, memprobe: int, told: mmap) -> None:
        self._memprobe, self._told = memprobe, told

    @property
    def _program(self) -> int:
        number: int = _NUMBER.unpack_from(self._told)[0]
        return number

    def receiver(self) -> int:
        """Return memprobe, which hands on what is the program's; or the program, if memprobe was killed."""
        try:
            has_ended = os.waitid(os.P_PID, self._memprobe, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            has_ended = True
        return self._program if has_ended else self._memprobe

    def collected(self) -> int:
        """Collect until memprobe has ended; if it was killed, until the program has, or all have."""
        code, was_killed = 0, False
        while True:
            try:
                ended, status = os.wait()
            except ChildProcessError:
                return code
            if ended == self._memprobe:
                code, was_killed = shell_code(status), os.WIFSIGNALED(status)
                if not was_killed:
                    return code
            elif was_killed and ended == self._program:
                return shell_code(status)
