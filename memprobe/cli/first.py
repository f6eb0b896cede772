"""memprobe as the first process of a container: every process that loses its parent becomes its child."""

from __future__ import annotations

import os
import sys

from memprobe.cli.relaying import Relay
from memprobe.target.launch import shell_code


def step_aside() -> None:
    """Go on in a child, if this is the first process; which collects from now on, and ends as the child does.

    It does nothing else: to tell those that are left to it from what memprobe waits for itself is not easy.
    """
    if os.getpid() != 1:
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # what is buffered here would be the child's, too
    pid = os.fork()
    if pid == 0:
        return
    with Relay() as relay:
        relay.begin(pid)
        os._exit(_collected(pid))


def _collected(pid: int) -> int:
    """Collect until a child has ended; if it was killed, until all have: what it has started runs on."""
    code = 0
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            return code
        if ended == pid:
            code = shell_code(status)
            if os.WIFEXITED(status):
                return code
