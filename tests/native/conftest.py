"""Two BPF objects that share maps, and a process that they follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memory.holding import Holder
from memprobe.native.bpf import (
    BpfObject,
    detach_aside,
    object_path,
)
from native.loading import ONLY, follow, made_knobs, numbers


@pytest.fixture(scope="module")
def loaded() -> Iterator[dict[str, BpfObject]]:
    """Two objects that share maps, with births and deaths wanted of nobody."""
    first = BpfObject(object_path("processes"), name="processes")
    first.resize_map("events", 1 << 16)
    first.load()
    second = BpfObject(object_path("handles"), name="handles")
    second.share_maps(first)
    second.load()
    first.write_map("knobs", ONLY, made_knobs())
    with first, second:
        yield {"processes": first, "handles": second}


@pytest.fixture
def duplicating(loaded: dict[str, BpfObject]) -> Iterator[Holder]:
    """A followed process, with the programs for dup and close attached."""
    with Holder() as holder:
        follow(loaded, holder.pid)
        dup, close = numbers("sys_exit_dup", "sys_enter_close")
        handles = loaded["handles"]
        attached = [
            (handles, handles.attach_tracepoint("born", dup)),
            (handles, handles.attach_tracepoint("died_by_close", close)),
        ]
        yield holder
        detach_aside(attached)
