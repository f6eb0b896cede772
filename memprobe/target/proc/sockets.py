"""What sockets are connected to, from the tables of the target's own network namespace."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.errors import NotPermitted
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import printable
from memprobe.vocab.kinds import SocketState

TABLE_LIMIT = 4 << 20
"""About 27,000 TCP sockets; a socket beyond that stays without a family."""

INTERNET = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp", "raw": "raw", "raw6": "raw"}
INODE_COLUMN = {"unix": 6, "netlink": 9, "packet": 8}


@dataclass(frozen=True, slots=True)
class SocketFacts:
    """One socket of a network namespace."""

    family: str
    """tcp, udp, raw, unix, netlink or packet."""

    state: str
    """The TCP state; empty for the others."""

    ends: str
    """Its addresses or its path; empty if it has none."""

    @property
    def text(self) -> str:
        """Such as "tcp 10.0.0.2:5432 -> 10.0.0.9:40112 CLOSE_WAIT"."""
        return " ".join(part for part in (self.family, self.ends, self.state) if part)


def read_sockets(process: Process, inodes: set[int]) -> dict[int, SocketFacts]:
    """Look up sockets by inode; reads one table after the other until all are found."""
    found: dict[int, SocketFacts] = {}
    for table in (*INTERNET, *INODE_COLUMN):
        if len(found) == len(inodes):
            break
        found.update({inode: facts for inode, facts in _rows(process, table) if inode in inodes})
    return found


def _rows(process: Process, table: str) -> Iterator[tuple[int, SocketFacts]]:
    try:
        lines = process.folder.read(f"net/{table}", TABLE_LIMIT).decode("utf-8", "replace").splitlines()
    except (NotPermitted, OSError):
        return
    for line in lines[1:]:
        try:
            yield parse_row(table, line)
        except (ValueError, IndexError, struct.error):
            continue


def parse_row(table: str, line: str) -> tuple[int, SocketFacts]:
    """Parse one line of /proc/net/<table> into inode and facts."""
    fields = line.split()
    if table in INTERNET:
        return int(fields[9]), _internet(INTERNET[table], fields)
    path = printable(line.split(None, 7)[7]) if table == "unix" and len(fields) > 7 else ""
    return int(fields[INODE_COLUMN[table]]), SocketFacts(table, "", path)


def _internet(family: str, fields: list[str]) -> SocketFacts:
    local, remote = endpoint(fields[1]), endpoint(fields[2])
    state = int(fields[3], 16)
    name = _state_name(state) if family == "tcp" else ""
    ends = local if remote.endswith(":0") else f"{local} -> {remote}"
    return SocketFacts(family, name, ends)


def _state_name(state: int) -> str:
    """The TCP state of a number; empty if there is none."""
    return SocketState(state).name if 0 < state < len(SocketState) else ""


def endpoint(text: str) -> str:
    """Turn "0100007F:1F90" into "127.0.0.1:8080"; words are in the byte order of the machine."""
    import socket  # 2 ms, and many targets have no sockets

    address, _, port = text.partition(":")
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"
