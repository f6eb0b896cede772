"""The socket tables of network namespaces, each read once per poll and only when somebody needs it."""

from __future__ import annotations

import functools
import socket
import time
from dataclasses import dataclass

from memprobe.errors import NotPermitted
from memprobe.sources.procfs.net_files import read_net_file
from memprobe.sources.procfs.sock_diag import dump_internet, dump_unix, open_diagnosis
from memprobe.sources.procfs.socket_table import SocketTable
from memprobe.target.proc.network_namespace import namespace_identity, open_in_network_of
from memprobe.target.proc.process import Process

TABLE_LIMIT_NS = 500_000_000
"""What reading one table may take; the rest of it is cut and counted."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A table of sockets."""

    name: str
    """Also the name of its file in /proc/net."""

    kernel_name: str
    """What the kernel calls its sockets (the attribute system.sockprotoname)."""

    family: int
    """AF_*"""

    number: int | None = None
    """IPPROTO_*; None if sock_diag is not asked."""

    @property
    def label(self) -> str:
        """What texts begin with: "tcp" also for tcp6."""
        return self.name.removesuffix("6")


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("tcp", "TCP", socket.AF_INET, socket.IPPROTO_TCP),
        Protocol("unix", "UNIX", socket.AF_UNIX),
        Protocol("tcp6", "TCPv6", socket.AF_INET6, socket.IPPROTO_TCP),
        Protocol("udp", "UDP", socket.AF_INET, socket.IPPROTO_UDP),
        Protocol("udp6", "UDPv6", socket.AF_INET6, socket.IPPROTO_UDP),
        Protocol("raw", "RAW", socket.AF_INET, socket.IPPROTO_RAW),
        Protocol("raw6", "RAWv6", socket.AF_INET6, socket.IPPROTO_RAW),
        Protocol("mptcp", "MPTCP", socket.AF_INET, socket.IPPROTO_MPTCP),
        Protocol("mptcp6", "MPTCPv6", socket.AF_INET6, socket.IPPROTO_MPTCP),
        Protocol("netlink", "NETLINK", socket.AF_NETLINK),
        Protocol("packet", "PACKET", socket.AF_PACKET),
    )
}
"""Every table that is read, the likeliest first."""

LIKELY = ("tcp", "unix", "tcp6", "udp", "udp6")
"""Where a socket is looked for before it is asked what it is."""


class Network:
    """The tables of one network namespace, as of one poll."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._tables: dict[str, SocketTable] = {}

    @property
    def tables_cut(self) -> int:
        """How many tables could not be read to their end."""
        return sum(table.cut for table in self._tables.values())

    @property
    def reduced(self) -> bool:
        """Whether queues and peers of UNIX sockets are not known here."""
        return any(table.reduced for table in self._tables.values())

    def table(self, name: str) -> SocketTable:
        """Return one of the PROTOCOLS' tables."""
        if name not in self._tables:
            self._tables[name] = self._read(PROTOCOLS[name])
        return self._tables[name]

    def _read(self, protocol: Protocol) -> SocketTable:
        deadline_ns = time.monotonic_ns() + TABLE_LIMIT_NS
        if protocol.name == "unix" or protocol.number is not None:
            try:
                return self._dump(protocol, deadline_ns)
            except (NotPermitted, OSError):
                # No right to enter, or a kernel without tcp_diag, raw_diag, unix_diag...
                pass
        return read_net_file(self._process, protocol.name, deadline_ns)

    def _dump(self, protocol: Protocol, deadline_ns: int) -> SocketTable:
        # A socket for every table: a dump that is cut leaves its socket unusable.
        with open_in_network_of(self._process, open_diagnosis) as diagnosis:
            if protocol.number is None:
                return dump_unix(diagnosis, deadline_ns)
            return dump_internet(diagnosis, protocol.family, protocol.number, deadline_ns)


class Networks:
    """The network namespaces of the followed processes; workers of one service share one."""

    def __init__(self) -> None:
        self._networks: dict[object, Network] = {}

    def of(self, process: Process) -> Network:
        """Return the tables of a process's network namespace."""
        return self._networks.setdefault(_identity(process), Network(process))

    def forget(self) -> list[Network]:
        """Have everything read anew the next time, for sockets change; return what there was."""
        networks = list(self._networks.values())
        self._networks.clear()
        return networks


def _identity(process: Process) -> object:
    try:
        return namespace_identity(process)
    except (NotPermitted, OSError):
        return process.id


@functools.cache
def protocol_of(kernel_name: str) -> Protocol | None:
    """Return the table for what the kernel calls a socket, as "UNIX-STREAM"; None if there is none."""
    # "UNIX" for datagrams, "UNIX-STREAM" for streams.
    plain = kernel_name.partition("-")[0]
    return next((protocol for protocol in PROTOCOLS.values() if protocol.kernel_name == plain), None)
