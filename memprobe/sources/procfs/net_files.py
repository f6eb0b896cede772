"""The tables of /proc/<pid>/net, for what sock_diag does not have or memprobe may not ask.

They are read through the target's folder, so they are those of its network namespace.
"""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from memprobe.errors import NotPermitted
from memprobe.sources.procfs.socket_table import NO_PEER_KNOWN, SOCKET, SocketTable, sorted_table
from memprobe.target.proc.process import Process
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.rows import Rows

TABLE_LIMIT = 16 << 20
"""About 110,000 TCP sockets."""

_STEP_LINES = 1024
_LISTENING_FLAG = 0x10000
_CONNECTED_TYPES = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
_SS_CONNECTED = 3


def read_net_file(process: Process, name: str, deadline_ns: int) -> SocketTable:
    """Read /proc/<pid>/net/<name>; a table that is not there has no rows."""
    try:
        raw = process.folder.read(f"net/{name}", TABLE_LIMIT)
    except (NotPermitted, OSError):
        return sorted_table(np.empty(0, SOCKET))
    lines = raw.split(b"\n")[1:]
    rows, names = np.zeros(len(lines), SOCKET), dict[int, str]()
    done = _parsed(lines, rows, names, _PARSERS.get(name, _internet), deadline_ns)
    table = sorted_table(rows, names, cut=done < len(lines) or len(raw) >= TABLE_LIMIT)
    return dataclasses.replace(table, reduced=name == "unix")


Parser = Callable[[bytes, Rows, dict[int, str]], None]


def _parsed(
    lines: Sequence[bytes], rows: Rows, names: dict[int, str], parse: Parser, deadline_ns: int
) -> int:
    """Parse lines into rows until the deadline; return how many lines that was."""
    for number, line in enumerate(lines):
        if number % _STEP_LINES == 0 and time.monotonic_ns() > deadline_ns:
            return number
        try:
            parse(line, rows[number], names)
        except (ValueError, IndexError, OverflowError):
            rows["inode"][number] = 0
    return len(lines)


def _internet(line: bytes, row: Rows, names: dict[int, str]) -> None:
    """Parse a line of tcp, tcp6, udp, udp6, raw or raw6."""
    fields = line.split()
    for side, text in (("local", fields[1]), ("remote", fields[2])):
        address, _, port = text.partition(b":")
        row[f"{side}_port"] = int(port, 16)
        for place, word in enumerate(_words(address)):
            row[side][place] = word
    row["family"] = socket.AF_INET if len(fields[1]) < 32 else socket.AF_INET6
    row["state"] = int(fields[3], 16)
    send, _, receive = fields[4].partition(b":")
    row["send_queue_bytes"], row["receive_queue_bytes"] = int(send, 16), int(receive, 16)
    row["inode"] = int(fields[9])


def _stateless(line: bytes, row: Rows, names: dict[int, str]) -> None:
    _internet(line, row, names)
    row["state"] = SocketState.NONE


def _words(address: bytes) -> Iterator[int]:
    return (int(address[start : start + 8], 16) for start in range(0, len(address), 8))


def _unix(line: bytes, row: Rows, names: dict[int, str]) -> None:
    fields = line.split(None, 7)
    row["family"], row["peer"] = socket.AF_UNIX, NO_PEER_KNOWN
    row["state"] = _unix_state(int(fields[3], 16), int(fields[4], 16), int(fields[5], 16))
    inode = int(fields[6])
    if len(fields) > 7:
        names[inode] = fields[7].decode("utf-8", "surrogateescape")
    row["inode"] = inode


def _unix_state(flags: int, kind: int, state: int) -> SocketState:
    if kind not in _CONNECTED_TYPES:
        return SocketState.NONE
    if flags & _LISTENING_FLAG:
        return SocketState.LISTEN
    return SocketState.ESTABLISHED if state == _SS_CONNECTED else SocketState.CLOSE


def _netlink(line: bytes, row: Rows, names: dict[int, str]) -> None:
    fields = line.split()
    row["family"], row["protocol"] = socket.AF_NETLINK, int(fields[1])
    row["receive_queue_bytes"], row["send_queue_bytes"] = int(fields[4]), int(fields[5])
    row["inode"] = int(fields[9])


def _packet(line: bytes, row: Rows, names: dict[int, str]) -> None:
    fields = line.split()
    row["family"] = socket.AF_PACKET
    row["receive_queue_bytes"] = int(fields[6])
    row["inode"] = int(fields[8])


_PARSERS: dict[str, Parser] = {
    "tcp": _internet,
    "tcp6": _internet,
    "udp": _stateless,
    "udp6": _stateless,
    "raw": _stateless,
    "raw6": _stateless,
    "unix": _unix,
    "netlink": _netlink,
    "packet": _packet,
}
