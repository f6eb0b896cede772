"""The unix socket on which an application asks: who may, one request a line, one answer.

The name is in the abstract namespace: it is gone with the process that has it. Whoever knocks is known by
the credentials that the kernel vouches for, and is heard only if it is the application or one of its forks.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from memprobe.errors import OutputNotWritable
from memprobe.target.proc.descent import descends

REQUEST_LIMIT = 64 << 10
BACKLOG = 64
MOST_AT_ONCE = 16
"""Requests that are taken between two looks at the process."""

PATIENCE_S = 0.5
"""For one that knocks and says nothing: the run waits meanwhile. Requests are sent with the connection."""

ANSWER_S = 5.0
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Request:
    """One that waits for its answer."""

    pid: int
    words: dict[str, Any]
    connection: socket.socket

    def answer(self, document: dict[str, Any]) -> None:
        """Answer and hang up; one that has gone away is no error."""
        with self.connection as connection:
            try:
                connection.settimeout(ANSWER_S)
                connection.sendall(json.dumps(document).encode(), socket.MSG_NOSIGNAL)
                # Closing is not enough: a look at a heap that is under way is a fork, and has it open, too.
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Door:
    """Listens for one application."""

    def __init__(self, name: str, pid: int) -> None:
        self._pid = pid
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.setblocking(False)
            self._listener.bind(f"\0{name}")
            self._listener.listen(BACKLOG)
        except OSError as error:
            self._listener.close()
            raise OutputNotWritable(f"the socket {name} cannot be had: {error.strerror}") from error

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()

    def requests(self) -> Iterator[Request]:
        """Yield those that have come since the last call."""
        for _ in range(MOST_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            request = self._heard(connection)
            if request is None:
                connection.close()
            else:
                yield request

    def _heard(self, connection: socket.socket) -> Request | None:
        """Return what somebody asks; None for a stranger, and for nonsense."""
        try:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid = _CREDENTIALS.unpack(credentials)[0]
            if not descends(pid, self._pid):
                return None
            words = json.loads(_line(connection))
        except (OSError, ValueError, RecursionError):
            return None
        return Request(pid, words, connection) if isinstance(words, dict) else None


def _line(connection: socket.socket) -> bytes:
    end_s = time.monotonic() + PATIENCE_S
    line = b""
    while not line.endswith(b"\n") and len(line) < REQUEST_LIMIT:
        if (left_s := end_s - time.monotonic()) <= 0:
            raise TimeoutError("it says its word too slowly")
        connection.settimeout(left_s)
        part = connection.recv(4096)
        if not part:
            break
        line += part
    return line
