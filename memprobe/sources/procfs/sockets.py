"""What the sockets of one process are: its descriptors' inodes joined with the tables of its network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.sources.procfs.networks import LIKELY, PROTOCOLS, Network, protocol_of
from memprobe.sources.procfs.socket_table import (
    ENDS_AT,
    SocketTable,
    internet_text,
    netlink_text,
    unix_text,
)
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.rows import Rows

Places: TypeAlias = npt.NDArray[np.int64]
"""Rows of the picture, or of a table."""

ASKED_LIMIT = 4096
"""Sockets per picture that are asked one by one what they are, 4 us each."""

_JOINED = ("family", "state", "receive_queue_bytes", "send_queue_bytes")


@dataclass(slots=True)
class SocketKnowledge:
    """What is remembered of a process's sockets from picture to picture."""

    protocols: dict[int, str] = field(default_factory=dict)
    """By inode the name of its table, or what the kernel calls it where there is no table."""

    texts: dict[bytes, str] = field(default_factory=dict)
    """Texts by protocol and ends: most connections are still there in the next picture."""


class SocketJoin:
    """Fills in the rows of one picture that are sockets; made anew for each."""

    def __init__(self, network: Network, knowledge: SocketKnowledge, rows: Rows, texts: list[str]) -> None:
        self._network = network
        self._before = knowledge
        self._now = SocketKnowledge()
        self._rows = rows
        self._texts = texts
        self._tried: set[str] = set()

    def run(self, which: Places, descriptors: str) -> SocketKnowledge:
        """Fill in the rows `which`; `descriptors` is the path of the folder with the target's descriptors."""
        known = {self._before.protocols.get(inode) for inode in self._rows["inode"][which].tolist()}
        left = self._from_tables([name for name in LIKELY if name in known], which)
        if None in known:
            left = self._from_tables(LIKELY, left)
        self._ask(left, descriptors)
        return self._now

    def _from_tables(self, names: Iterable[str], left: Places) -> Places:
        """Look in these tables, one after the other, for what has not been found yet."""
        for name in names:
            if len(left) and name not in self._tried:
                self._tried.add(name)
                left = self._from_table(name, left)
        return left

    def _from_table(self, name: str, left: Places) -> Places:
        table = self._network.table(name)
        if not len(table.rows):
            return left
        inodes = self._rows["inode"][left]
        place = np.minimum(np.searchsorted(table.rows["inode"], inodes), len(table.rows) - 1)
        found = table.rows["inode"][place] == inodes
        self._fill(name, table, left[found], place[found])
        missing: Places = left[~found]
        return missing

    def _fill(self, name: str, table: SocketTable, which: Places, place: Places) -> None:
        sockets = table.rows[place]
        for column in _JOINED:
            self._rows[column][which] = sockets[column]
        texts = self._described(name, table, sockets)
        for row, text in zip(which.tolist(), texts, strict=True):
            self._texts[row] = text
        self._now.protocols |= dict.fromkeys(sockets["inode"].tolist(), name)

    def _described(self, name: str, table: SocketTable, sockets: Rows) -> list[str]:
        if name == "unix":
            columns = (sockets[column].tolist() for column in ("inode", "peer", "state", "shut"))
            return [unix_text(table.names, *numbers) for numbers in zip(*columns, strict=True)]
        if name == "netlink":
            return [netlink_text(protocol) for protocol in sockets["protocol"].tolist()]
        if name == "packet":
            return ["packet"] * len(sockets)
        return self._with_ends(name, sockets)

    def _with_ends(self, name: str, sockets: Rows) -> list[str]:
        label, size, raw = PROTOCOLS[name].label, sockets.itemsize, sockets.tobytes()
        kept, before, texts = self._now.texts, self._before.texts, []
        for number in range(len(sockets)):
            key = name.encode() + raw[number * size + ENDS_AT : (number + 1) * size]
            text = before.get(key) or internet_text(label, sockets[number])
            kept[key] = text
            texts.append(text)
        return texts

    def _ask(self, left: Places, descriptors: str) -> None:
        """Ask the sockets that no likely table has what they are, and look in the table for that."""
        asked, groups = 0, dict[str, list[int]]()
        for row, inode in zip(left.tolist(), self._rows["inode"][left].tolist(), strict=True):
            name = self._before.protocols.get(inode, "")
            if not name and asked < ASKED_LIMIT:
                asked += 1
                name = _kernel_name(f"{descriptors}/{self._rows['descriptor'][row]}")
            if name:
                self._now.protocols[inode] = name
                groups.setdefault(name, []).append(row)
        for name, members in groups.items():
            rest = self._from_tables([name] if name in PROTOCOLS else [], np.array(members, np.int64))
            self._without_table(name, rest)

    def _without_table(self, name: str, which: Places) -> None:
        """Sockets in no table: not bound or connected yet, or not any more, or of a rare family."""
        protocol = PROTOCOLS.get(name)
        self._rows["family"][which] = protocol.family if protocol else 0
        if name in ("tcp", "tcp6"):
            self._rows["state"][which] = SocketState.CLOSE
        for row in which.tolist():
            self._texts[row] = protocol.label if protocol else name.lower()


def _kernel_name(path: str) -> str:
    """Ask one socket what it is; empty if it cannot be told (closed meanwhile)."""
    try:
        raw = os.getxattr(path, "system.sockprotoname")
    except OSError:
        return ""
    name = raw.rstrip(b"\0").decode("ascii", "replace")
    protocol = protocol_of(name)
    return protocol.name if protocol else name
