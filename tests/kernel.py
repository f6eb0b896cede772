"""What this kernel lets the tests do, found out by trying, without memprobe."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct

_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE = 0
_ARRAY = 2


@functools.cache
def bpf_refusal() -> str:
    """Why a BPF map cannot be made here; empty if it can."""
    if platform.machine() not in _SYS_BPF:
        return f"the number of bpf(2) on {platform.machine()} is not known here"
    # union bpf_attr: type, key size, value size, entries, and zeroes.
    attributes = struct.pack("=4I", _ARRAY, 4, 8, 1).ljust(72, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(_SYS_BPF[platform.machine()], _MAP_CREATE, attributes, len(attributes))
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    os.close(descriptor)
    return ""
