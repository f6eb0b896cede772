"""Use every function of the extension, well and badly, many times; leaks show at the end."""

from __future__ import annotations

import contextlib
import os
import signal
from array import array
from collections.abc import Callable

from memprobe.native import read_region, read_regions
from memprobe.native._native import set_parent_death_signal
from memprobe.native.bpf import BpfObject, object_path

PAIRS = array("Q", [1, 2] * 500)
ME = os.getpid()


def attempt(function: Callable[..., object], *arguments: object) -> None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        function(*arguments)


def read() -> None:
    held = b"something to read" * 10
    attempt(read_region, ME, -1, -1, id(held), 100)
    attempt(read_region, ME, -1, -1, 5, 100)
    attempt(read_region, 1 << 30, -1, -1, 5, 100)
    attempt(read_region, ME, -1, -1, 5, -1)
    attempt(read_regions, ME, -1, -1, PAIRS, bytearray(1000), bytearray(4000))
    attempt(read_regions, ME, -1, -1, PAIRS, bytearray(1), bytearray(4000))
    attempt(read_regions, 1 << 30, -1, -1, PAIRS, bytearray(1000), bytearray(4000))
    attempt(set_parent_death_signal, 0)
    attempt(set_parent_death_signal, signal.NSIG + 100)


def probe() -> None:
    attempt(BpfObject, b"junk")
    attempt(BpfObject, "/none")
    with BpfObject(object_path("smoke")) as found:
        attempt(found.__init__, b"again")
        attempt(found.set_constant, "nothing", b"")
        attempt(found.set_constant, "watched_pid", b"")
        attempt(found.attach, "count_calls")
        found.load()
        attempt(found.load)
        found.attach("count_calls")
        found.attach("count_calls")
        attempt(found.attach, "nothing")
        attempt(found.read_map, "nothing", bytes(4))
        assert found.read_map("hits", bytes(4)) == bytes(8)
        assert found.read_map("hits", b"\1\0\0\0") is None
        assert len(found.programs + found.maps) == 3
    BpfObject(object_path("smoke"))


for _ in range(100):
    read()
    probe()
