"""NETLINK_SOCK_DIAG: every socket of a network namespace with its state, queues and peer.

The kernel answers with a chain of messages in native byte order, each a header, a struct of fixed size
and attributes. The chain is walked message by message (50 ns each), all fields are taken out at once.
Layouts: include/uapi/linux/{netlink,sock_diag,inet_diag,unix_diag}.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.sources.procfs.socket_table import SOCKET, SocketTable, sorted_table
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.rows import Rows

Words: TypeAlias = npt.NDArray[np.uint32]
Places: TypeAlias = npt.NDArray[np.int64]

SOCKETS_LIMIT = 1 << 18
"""Sockets of one table that are read: 16 MB of rows, a third of a second."""

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST_AND_DUMP = 0x301
INET_DIAG_REQ_PROTOCOL = 3
SHOW_NAME_PEER_AND_QUEUES = 1 | 4 | 16
UNIX_DIAG_NAME, UNIX_DIAG_PEER, UNIX_DIAG_RQLEN, UNIX_DIAG_SHUTDOWN = 0, 2, 4, 6
ATTRIBUTES_LIMIT = 8

HEADER_WORDS, INTERNET_WORDS, UNIX_WORDS = 4, 18, 4
_HEADER = struct.Struct("=IHHII")
_BLOCK_BYTES, _ANSWER_BYTES = 1 << 20, 1 << 16
_PATIENCE_S = 1.0

# Sockets without a descriptor: what waits in TIME_WAIT, and connections nobody has accepted yet.
_NOBODYS = (SocketState.TIME_WAIT, SocketState.SYN_RECV, SocketState.NEW_SYN_RECV)
_STATES = 0xFFFFFFFF & ~sum(1 << state for state in _NOBODYS)
_CONNECTED = frozenset({socket.SOCK_STREAM, socket.SOCK_SEQPACKET})


def open_diagnosis() -> socket.socket:
    """Open a socket for questions to the network namespace of this thread."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    opened.settimeout(_PATIENCE_S)
    return opened


def dump_internet(diagnosis: socket.socket, family: int, protocol: int, deadline_ns: int) -> SocketTable:
    """Read all sockets of a family and protocol; raise OSError where the kernel has no table of them."""
    blocks = _Blocks(diagnosis, _internet_request(family, protocol), deadline_ns)
    rows = [_internet_rows(*_about_sockets(block, begins)) for block, begins in blocks]
    joined = np.concatenate([np.empty(0, SOCKET), *rows])
    if protocol not in (socket.IPPROTO_TCP, socket.IPPROTO_MPTCP):
        joined["state"] = SocketState.NONE
    return sorted_table(joined, cut=blocks.cut)


def dump_unix(diagnosis: socket.socket, deadline_ns: int) -> SocketTable:
    """Read all UNIX sockets; raise OSError where the kernel cannot."""
    request = struct.pack("=BBHIII8x", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, SHOW_NAME_PEER_AND_QUEUES)
    blocks = _Blocks(diagnosis, request, deadline_ns)
    names: dict[int, str] = {}
    rows = [_unix_rows(block, *_about_sockets(block, begins), names) for block, begins in blocks]
    return sorted_table(np.concatenate([np.empty(0, SOCKET), *rows]), names, cut=blocks.cut)


def socket_name(raw: bytes) -> str:
    """Turn the name of a UNIX socket into text; an abstract one begins with a zero byte, shown as @."""
    shown = raw.replace(b"\0", b"@") if raw[:1] == b"\0" else raw.partition(b"\0")[0]
    return shown.decode("utf-8", "surrogateescape")


def _internet_request(family: int, protocol: int) -> bytes:
    fixed = struct.pack("=BBBBI48x", family, min(protocol, 255), 0, 0, _STATES)
    if protocol <= 255:
        return fixed
    return fixed + struct.pack("=HHI", 8, INET_DIAG_REQ_PROTOCOL, protocol)


class _Blocks:
    """The answer to one dump, in blocks of whole messages; up to SOCKETS_LIMIT, until a deadline."""

    def __init__(self, diagnosis: socket.socket, request: bytes, deadline_ns: int) -> None:
        self.cut = False
        self._diagnosis = diagnosis
        self._deadline_ns = deadline_ns
        self._buffer = bytearray(_BLOCK_BYTES)
        head = _HEADER.pack(_HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_AND_DUMP, 1, 0)
        diagnosis.send(head + request)

    def __iter__(self) -> Iterator[tuple[bytes, list[int]]]:
        left_bytes, done = SOCKETS_LIMIT * 4 * (HEADER_WORDS + INTERNET_WORDS), False
        while not done:
            places: list[int] = []
            used_bytes, done = self._fill(places)
            left_bytes -= used_bytes
            yield bytes(self._buffer[:used_bytes]), places
            if not done and (left_bytes <= 0 or time.monotonic_ns() > self._deadline_ns):
                self.cut = done = True

    def _fill(self, places: list[int]) -> tuple[int, bool]:
        """Receive until the buffer is nearly full; return the bytes in it and whether that was all.

        Where messages begin is added to `places`.
        """
        used_bytes, view = 0, memoryview(self._buffer)
        while used_bytes + _ANSWER_BYTES <= _BLOCK_BYTES:
            received = self._diagnosis.recv_into(view[used_bytes : used_bytes + _ANSWER_BYTES])
            end = used_bytes + received
            _chain(view, used_bytes >> 2, end >> 2, places)
            used_bytes = end
            if self._is_the_end(places):
                return used_bytes, True
        return used_bytes, False

    def _is_the_end(self, places: list[int]) -> bool:
        """Whether the last message says that there are no more, or that there are none for a reason."""
        if not places:
            raise OSError(errno.EPROTO, "the kernel's answer is too short")
        last, answer = places[-1] * 4, self._buffer
        _, kind, _, _, _ = _HEADER.unpack_from(answer, last)
        if kind not in (NLMSG_ERROR, NLMSG_DONE):
            return False
        (status,) = struct.unpack_from("=i", answer, last + _HEADER.size)
        if status < 0:
            raise OSError(-status, os.strerror(-status))
        return True


def _chain(buffer: memoryview, at: int, end: int, places: list[int]) -> None:
    """Add where each message begins, all in words; ends at the first that makes no sense."""
    sizes = buffer.cast("I")
    while at + HEADER_WORDS <= end:
        size = sizes[at] + 3 >> 2
        if size < HEADER_WORDS or at + size > end:
            break
        places.append(at)
        at += size


def _about_sockets(block: bytes, begins: list[int]) -> tuple[Words, Places]:
    """Return a block's words, and where the messages about sockets begin."""
    words = np.frombuffer(block, np.uint32)
    places = np.array(begins, np.int64)
    return words, places[words[places + 1] & 0xFFFF == SOCK_DIAG_BY_FAMILY]


def _rows(words: Words, places: Places, fixed_words: int) -> tuple[Rows, Places, Places]:
    """Return empty rows for the messages that hold the struct, where these begin and where they end."""
    ends = places + (words[places] + 3 >> 2).astype(np.int64)
    whole = ends - places >= HEADER_WORDS + fixed_words
    rows = np.zeros(int(whole.sum()), SOCKET)
    at = places[whole] + HEADER_WORDS
    rows["family"] = words[at] & 0xFF
    return rows, at, ends[whole]


def _internet_rows(words: Words, places: Places) -> Rows:
    """Take apart struct inet_diag_msg."""
    rows, at, _ = _rows(words, places, INTERNET_WORDS)
    rows["state"] = words[at] >> 8 & 0xFF
    rows["local_port"] = (words[at + 1] & 0xFFFF).astype(np.uint16).byteswap()
    rows["remote_port"] = (words[at + 1] >> 16).astype(np.uint16).byteswap()
    for word in range(4):
        rows["local"][:, word] = words[at + 2 + word]
        rows["remote"][:, word] = words[at + 6 + word]
    rows["receive_queue_bytes"] = words[at + 14]
    rows["send_queue_bytes"] = words[at + 15]
    rows["inode"] = words[at + 17]
    return rows


def _unix_rows(block: bytes, words: Words, places: Places, names: dict[int, str]) -> Rows:
    """Take apart struct unix_diag_msg and its attributes; put names among `names`."""
    rows, at, ends = _rows(words, places, UNIX_WORDS)
    connected = np.isin(words[at] >> 8 & 0xFF, list(_CONNECTED))
    rows["state"] = np.where(connected, words[at] >> 16 & 0xFF, SocketState.NONE)
    rows["inode"] = words[at + 1]
    cursor = at + UNIX_WORDS
    for _ in range(ATTRIBUTES_LIMIT):
        inside = np.flatnonzero(cursor < ends)
        if not len(inside):
            break
        cursor[inside] += _attribute(block, words, cursor[inside], rows, inside, names)
    return rows


def _attribute(
    block: bytes, words: Words, at: Places, rows: Rows, of: Places, names: dict[int, str]
) -> Places:
    """Take one attribute of each message; return how many words it takes."""
    size, kind = (words[at] & 0xFFFF).astype(np.int64), words[at] >> 16
    here = (kind == UNIX_DIAG_PEER) & (size >= 8)
    rows["peer"][of[here]] = words[at[here] + 1]
    here = (kind == UNIX_DIAG_RQLEN) & (size >= 12)
    rows["receive_queue_bytes"][of[here]] = words[at[here] + 1]
    rows["send_queue_bytes"][of[here]] = words[at[here] + 2]
    here = (kind == UNIX_DIAG_SHUTDOWN) & (size >= 5)
    rows["shut"][of[here]] = words[at[here] + 1] & 0xFF
    for which in np.flatnonzero((kind == UNIX_DIAG_NAME) & (size > 4)):
        start = int(at[which]) * 4
        names[int(rows["inode"][of[which]])] = socket_name(block[start + 4 : start + int(size[which])])
    words_taken: Places = np.maximum(size + 3 >> 2, 1)
    return words_taken
