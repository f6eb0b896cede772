"""What a process has in the kernel, and whether it is still there."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
import time

from patience import until

_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
_GET_NEXT = {"prog_id": 11, "map_id": 12, "link_id": 31}
_LIBC = ctypes.CDLL(None, use_errno=True)
_ID = re.compile(r"^(prog_id|map_id|link_id):\s*(\d+)$", re.MULTILINE)

Ids = set[tuple[str, int]]


def ids_of(pid: int) -> Ids:
    """The programs, maps and links that a process holds open."""
    found: Ids = set()
    for number in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{number}") as file:
                found |= {(kind, int(value)) for kind, value in _ID.findall(file.read())}
        except OSError:
            continue
    return found


def ids_in_kernel() -> Ids:
    """All of this machine."""
    found: Ids = set()
    for kind, command in _GET_NEXT.items():
        attributes = ctypes.create_string_buffer(struct.pack("=III", 0, 0, 0), 72)
        while _LIBC.syscall(_BPF, command, attributes, 72) == 0:
            number = struct.unpack_from("=III", attributes)[1]
            found.add((kind, number))
            struct.pack_into("=III", attributes, 0, number, 0, 0)
    return found


def gone_after_s(ids: Ids) -> float:
    """How long it takes until none of them is left."""
    assert ids
    began = time.monotonic()
    until(lambda: not ids & ids_in_kernel(), pause_s=0.05)
    return time.monotonic() - began
