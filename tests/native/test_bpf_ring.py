"""The reader of the ring buffer."""

from __future__ import annotations

import os
import select

import numpy as np
import pytest

from memory.holding import Holder
from memprobe import abi
from memprobe.native.bpf import (
    BpfError,
    BpfObject,
    Ring,
)
from native.loading import SHAPES, losses

pytestmark = pytest.mark.usefixtures("bpf")


class TestRing:
    """The reader of the ring buffer."""

    def test_records_come_sorted_by_kind(self, loaded: dict[str, BpfObject], duplicating: Holder) -> None:
        ring = Ring(loaded["processes"], "events", SHAPES)
        duplicating.tell("dup 100")
        parcels = ring.drain()
        ring.close()
        births = np.frombuffer(parcels[2][0], "<u4").reshape(-1, 16)
        assert len(births) == 100
        assert set(births[:, 4].tolist()) == {duplicating.pid}
        assert np.frombuffer(parcels[2][1], "<u8").tolist() == [0] * 101
        assert parcels[2][2] == b""
        assert len(parcels[3][0]) == 100 * 48
        assert ring.strange == ring.unwanted == 0

    def test_what_is_drained_is_gone(self, loaded: dict[str, BpfObject], duplicating: Holder) -> None:
        ring = Ring(loaded["processes"], "events", SHAPES)
        duplicating.tell("dup 5")
        assert ring.waiting_bytes == 5 * (8 + 64) + 5 * (8 + 48)
        assert set(ring.drain()) == {2, 3}
        assert ring.waiting_bytes == 0
        assert ring.drain() == {}

    def test_kinds_that_nobody_wants_are_counted(
        self, loaded: dict[str, BpfObject], duplicating: Holder
    ) -> None:
        ring = Ring(loaded["processes"], "events", {2: (64, 60)})
        duplicating.tell("dup 7")
        assert set(ring.drain()) == {2}
        assert ring.unwanted == 7

    def test_records_that_are_too_short_are_counted(
        self, loaded: dict[str, BpfObject], duplicating: Holder
    ) -> None:
        ring = Ring(loaded["processes"], "events", {2: (64, 60), 3: (1000, 0)})
        duplicating.tell("dup 7")
        assert set(ring.drain()) == {2}
        assert ring.strange == 7

    def test_a_tail_that_claims_more_than_there_is(
        self, loaded: dict[str, BpfObject], duplicating: Holder
    ) -> None:
        # The bytes 24 to 27 of a death are part of an address of the kernel: no length.
        ring = Ring(loaded["processes"], "events", {3: (48, 28)})
        duplicating.tell("dup 7")
        assert ring.drain() == {}
        assert ring.strange == 7

    def test_a_full_ring_loses_the_new_and_says_so(
        self, loaded: dict[str, BpfObject], duplicating: Holder
    ) -> None:
        ring = Ring(loaded["processes"], "events", SHAPES)
        before = losses(loaded)
        duplicating.tell("dup 1000")
        parcels = ring.drain()
        births, deaths = len(parcels[2][0]) // 64, len(parcels[3][0]) // 48
        lost = losses(loaded) - before
        assert births + lost[abi.LOSSES[6].id] == 1000
        assert deaths + lost[abi.LOSSES[7].id] == 1000
        assert lost.sum() > 0
        duplicating.tell("dup 3")
        assert len(ring.drain()[2][0]) == 3 * 64

    def test_it_wraps_around(self, loaded: dict[str, BpfObject], duplicating: Holder) -> None:
        ring = Ring(loaded["processes"], "events", SHAPES)
        for _ in range(20):
            duplicating.tell("dup 300")
            parcels = ring.drain()
            assert len(parcels[2][0]) == 300 * 64
            assert len(parcels[3][0]) == 300 * 48

    def test_its_descriptor(self, loaded: dict[str, BpfObject], duplicating: Holder) -> None:
        ring = Ring(loaded["processes"], "events", SHAPES)
        ring.drain()
        assert select.select([ring], [], [], 0)[0] == []
        assert os.get_inheritable(ring.fileno()) is False
        duplicating.tell("dup 1")
        assert select.select([ring], [], [], 0)[0] == [ring]
        ring.drain()

    def test_what_is_wrong(self, loaded: dict[str, BpfObject]) -> None:
        first = loaded["processes"]
        with pytest.raises(BpfError):
            Ring(first, "targets", SHAPES)
        with pytest.raises(KeyError):
            Ring(first, "nothing", SHAPES)
        for shapes in ({99: (64, 0)}, {1: (4, 0)}, {1: (64, 61)}, {1: (1 << 20, 0)}):
            with pytest.raises(ValueError, match="heads"):
                Ring(first, "events", shapes)
        with pytest.raises(TypeError):
            Ring(object(), "events", SHAPES)  # type: ignore[arg-type]
        ring = Ring(first, "events", SHAPES)
        ring.close()
        ring.close()
        for use in (ring.drain, ring.fileno, lambda: ring.waiting_bytes):
            with pytest.raises(ValueError, match="closed"):
                use()
        with pytest.raises(ValueError, match="closed"):
            Ring.__new__(Ring).drain()
