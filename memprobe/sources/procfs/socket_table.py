"""One table of sockets of a network namespace, however it was read."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from memprobe.vocab.kinds import SocketState
from memprobe.vocab.rows import Rows

SOCKET = np.dtype(
    [
        ("inode", "<u8"),
        ("peer", "<u8"),  # inode of the other end of a UNIX socket, 0 if there is none
        ("receive_queue_bytes", "<u4"),
        ("send_queue_bytes", "<u4"),
        ("state", "u1"),  # SocketState
        ("shut", "u1"),  # of a UNIX socket: the directions that are shut down
        ("protocol", "<u2"),  # of netlink
        # From here on what a text is made of.
        ("family", "<u2"),
        ("local_port", "<u2"),
        ("remote_port", "<u2"),
        ("reserved_too", "<u2"),
        ("local", "<u4", (4,)),  # as in memory: in network order, byte by byte
        ("remote", "<u4", (4,)),
    ]
)
"""A socket as the kernel's tables show it."""

ENDS_AT = 28
"""Where family, ports and addresses stand in a SOCKET row."""

NO_PEER_KNOWN = (1 << 64) - 1
"""As `peer`: the table does not say."""

NETLINK_NAMES = {0: "route", 4: "sock_diag", 9: "audit", 12: "netfilter", 15: "kobject_uevent", 16: "generic"}
"""The usual ones of include/uapi/linux/netlink.h."""


@dataclass(frozen=True, slots=True, eq=False)
class SocketTable:
    """The sockets of one protocol in one network namespace."""

    rows: Rows
    """SOCKET rows, by inode."""

    names: Mapping[int, str] = field(default_factory=dict)
    """Paths and abstract names (after an @) of UNIX sockets, by inode."""

    cut: bool = False
    """Whether there are more sockets than could be read in time."""

    reduced: bool = False
    """Whether it comes from a table without queues and peers."""


def sorted_table(rows: Rows, names: Mapping[int, str] | None = None, *, cut: bool = False) -> SocketTable:
    """Put rows in order and take out what no descriptor can point to."""
    rows = rows[rows["inode"] != 0]
    listening = rows["state"] == SocketState.LISTEN
    # There the kernel shows connections that wait to be accepted, and how many may: not bytes.
    rows["receive_queue_bytes"][listening] = 0
    rows["send_queue_bytes"][listening] = 0
    return SocketTable(rows[np.argsort(rows["inode"], kind="stable")], names or {}, cut)


def internet_text(protocol: str, row: Rows) -> str:
    """Return such as "tcp 10.0.0.2:5432 -> 10.0.0.9:40112"."""
    local = _endpoint(row, "local")
    ends = f"{local} -> {_endpoint(row, 'remote')}" if row["remote_port"] else local
    return f"{protocol} {ends}"


def _endpoint(row: Rows, side: str) -> str:
    packed, port = row[side].tobytes(), row[f"{side}_port"]
    if row["family"] == socket.AF_INET6:
        return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{port}"
    return f"{socket.inet_ntop(socket.AF_INET, packed[:4])}:{port}"


def unix_text(names: Mapping[int, str], inode: int, peer: int, state: int, shut: int) -> str:
    """Return such as "unix /run/app.sock", or what a socket without a name is connected to."""
    if inode in names:
        return f"unix {names[inode]}"
    if peer in names:
        return f"unix -> {names[peer]}"
    if peer == NO_PEER_KNOWN:
        return "unix"
    if peer:
        return f"unix -> socket:[{peer}]"
    if state != SocketState.ESTABLISHED:
        return "unix"
    # In both cases nobody has the other end; closing it shuts this one down.
    return "unix, the other end has closed" if shut else "unix, not accepted yet"


def netlink_text(protocol: int) -> str:
    """Return such as "netlink route"."""
    return f"netlink {NETLINK_NAMES.get(protocol, protocol)}"
