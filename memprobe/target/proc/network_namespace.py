"""Opening a socket in the network namespace of another process.

A socket belongs to the namespace that its creator was in, and the namespace is the thread's own: a thread
of memprobe enters, opens and ends, and nothing else of memprobe has moved.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable

from memprobe.errors import NotPermitted
from memprobe.target.proc.process import Process

CLONE_NEWNET = 0x40000000
"""Of include/uapi/linux/sched.h."""

Opens = Callable[[], socket.socket]


def namespace_identity(process: Process) -> tuple[int, int]:
    """Device and inode of a process's network namespace; needs the right to look into it."""
    return process.folder.identity("ns/net")


def open_in_network_of(process: Process, opens: Opens) -> socket.socket:
    """Have `opens` make its socket in the network namespace of a process.

    Raises NotPermitted if it is another namespace and memprobe may not enter it.
    """
    namespace = process.folder.open("ns/net")
    try:
        own = os.stat("/proc/self/ns/net")
        if os.path.samestat(own, os.fstat(namespace)):
            return opens()
        return _in_a_thread(namespace, opens, process.pid)
    finally:
        os.close(namespace)


def _in_a_thread(namespace: int, opens: Opens, pid: int) -> socket.socket:
    opened: list[socket.socket] = []
    failed: list[OSError] = []

    def enter_and_open() -> None:
        try:
            _enter(namespace)
            opened.append(opens())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=enter_and_open, name="memprobe-network")
    thread.start()
    thread.join()
    if opened:
        return opened[0]
    why = failed[0].strerror if failed else "the thread died"
    raise NotPermitted(
        f"the network namespace of process {pid} cannot be entered: {why}",
        remedy="run memprobe as root (CAP_SYS_ADMIN)",
    )


def _enter(namespace: int) -> None:
    # os.setns came with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
