"""Use every function of the extension, well and badly, many times; leaks show at the end."""

from __future__ import annotations

import contextlib
import os
import signal
from array import array
from collections.abc import Callable

from memprobe.native import read_region, read_regions
from memprobe.native._native import set_parent_death_signal
from memprobe.native.bpf import (
    BpfObject,
    Ring,
    detach_aside,
    enable_statistics,
    object_path,
    open_tracefs,
)

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


def share() -> None:
    with BpfObject(object_path("processes")) as first, BpfObject(object_path("collector")) as second:
        attempt(second.share_maps, first)
        attempt(first.resize_map, "events", 5)
        first.resize_map("events", 1 << 14)
        first.set_variable("census_tables", bytes(4))
        attempt(first.set_variable, "nothing", bytes(4))
        attempt(second.leave_out, "nothing")
        second.leave_out("collection_ends")
        first.load()
        second.share_maps(first)
        attempt(second.share_maps, "nothing")
        second.load()
        use_maps(first)
        use_hooks(first)
        use_ring(first)


def use_maps(first: BpfObject) -> None:
    first.write_map("targets", bytes(4), bytes(24))
    attempt(first.write_map, "targets", bytes(4), bytes(23))
    assert first.drain_map("targets", bytearray(400), bytearray(2400)) == 1
    attempt(first.drain_map, "targets", bytearray(400), b"")
    assert first.delete_from_map("targets", bytes(4))
    first.set_variable("census_tables", bytes(4))
    assert len(first.iterate("census")) == 0
    attempt(first.iterate, "exited")
    assert first.has_constant("processors")
    assert len(first.run_counts) == 9


def use_hooks(first: BpfObject) -> None:
    attached = [first.attach(name) for name in ("forked", "executed", "exited")]
    attempt(first.attach, "census")
    attempt(first.attach_tracepoint, "unshare_begins", 999_999)
    attempt(first.attach_uprobe, "exited", "/none", 0, ME)
    attempt(first.attach_uprobes, "exited", "/none", bytes(16), bytes(16), bytes(8), ME)
    attempt(first.attach_uprobes, "exited", "/none", bytes(16), bytes(16), bytes(16), ME)
    attempt(lambda: first.attach_event("exited", kind=1, config=2, period=1, tid=ME))
    first.detach(attached[0])
    attempt(first.detach, attached[0], 99)
    attempt(detach_aside, [(first, 99)])
    detach_aside([(first, number) for number in attached])
    os.close(enable_statistics())
    os.close(open_tracefs())


def use_ring(first: BpfObject) -> None:
    attempt(Ring, first, "events", {99: (1, 1)})
    attempt(Ring, first, "targets", {})
    ring = Ring(first, "events", {2: (64, 60)})
    attempt(ring.__init__, first, "events", {})
    assert ring.drain() == {}
    assert ring.fileno() >= 0
    assert ring.waiting_bytes + ring.strange + ring.unwanted == 0
    ring.close()
    attempt(ring.drain)
    Ring(first, "events", {})


for turn in range(100):
    read()
    probe()
    if turn % 10 == 0:
        share()
