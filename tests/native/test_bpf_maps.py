"""Maps that objects share, and variables."""

from __future__ import annotations

import errno
import os
import struct

import numpy as np
import pytest

from memory.holding import Holder
from memprobe import abi
from memprobe.native.bpf import (
    BpfError,
    BpfObject,
    object_path,
)

pytestmark = pytest.mark.usefixtures("bpf")


class TestMaps:
    """Reading and writing."""

    def test_written_values_are_read_by_all_who_share(self, loaded: dict[str, BpfObject]) -> None:
        key, value = struct.pack("=I", 12345), bytes(range(abi.TARGET.itemsize))
        loaded["processes"].write_map("targets", key, value)
        assert loaded["handles"].read_map("targets", key) == value
        assert loaded["handles"].delete_from_map("targets", key)
        assert not loaded["processes"].delete_from_map("targets", key)
        assert loaded["processes"].read_map("targets", key) is None

    @pytest.mark.parametrize("room", [1, 50, 100, 128, 5000])
    def test_drain_gives_all_that_there_is_room_for(self, loaded: dict[str, BpfObject], room: int) -> None:
        first = loaded["processes"]
        pairs = {struct.pack("=QI4x", at, 1): struct.pack("=Q", at * 3) for at in range(1, 101)}
        for key, value in pairs.items():
            first.write_map("thread_states", key, value)
        keys, values = bytearray(16 * room), bytearray(8 * room)
        count = first.drain_map("thread_states", keys, values)
        for key in pairs:
            first.delete_from_map("thread_states", key)
        assert count <= min(room, 100)
        assert count == 100 or room < 128
        found = {
            bytes(keys[16 * at : 16 * at + 16]): bytes(values[8 * at : 8 * at + 8]) for at in range(count)
        }
        assert len(found) == count
        assert found.items() <= pairs.items()

    def test_drain_of_an_array_and_of_per_cpu_values(self, loaded: dict[str, BpfObject]) -> None:
        keys, values = bytearray(4 * 100), bytearray(8 * 100 * 512)
        count = loaded["processes"].drain_map("losses", keys, values)
        assert count == len(abi.LOSSES)
        assert np.frombuffer(keys, "<u4")[:count].tolist() == list(range(count))

    def test_drain_of_a_map_without_keys(self, loaded: dict[str, BpfObject]) -> None:
        with pytest.raises(ValueError, match="no keys"):
            loaded["processes"].drain_map("events", bytearray(100), bytearray(100))
        assert loaded["processes"].drain_map("targets", bytearray(), bytearray()) == 0
        with pytest.raises(TypeError):
            loaded["processes"].drain_map("targets", b"constant", bytearray(100))

    def test_values_of_the_wrong_size(self, loaded: dict[str, BpfObject]) -> None:
        with pytest.raises(ValueError, match="a key of targets has 4 bytes"):
            loaded["processes"].write_map("targets", bytes(5), bytes(24))
        with pytest.raises(ValueError, match="a value of targets has 24 bytes"):
            loaded["processes"].write_map("targets", bytes(4), bytes(25))
        with pytest.raises(ValueError, match="a key of targets has 4 bytes"):
            loaded["processes"].delete_from_map("targets", bytes(5))

    def test_a_full_map_says_so(self, loaded: dict[str, BpfObject]) -> None:
        first = loaded["processes"]
        keys = [struct.pack("=I", pid) for pid in range(1 << 30, (1 << 30) + 1000)]
        with pytest.raises(BpfError, match="cannot write map targets") as caught:
            self.write_all(first, keys)
        assert caught.value.errno == errno.E2BIG
        for key in keys:
            first.delete_from_map("targets", key)

    def write_all(self, target: BpfObject, keys: list[bytes]) -> None:
        for key in keys:
            target.write_map("targets", key, bytes(24))

    def test_a_map_of_another_shape_is_not_shared(self, loaded: dict[str, BpfObject]) -> None:
        with BpfObject(object_path("smoke")) as smoke:
            smoke.share_maps(loaded["processes"])  # nothing in common is fine
            smoke.load()
        with BpfObject(object_path("handles")) as handles:
            with pytest.raises(ValueError, match="not been called"):
                BpfObject(object_path("growth")).share_maps(handles)
            handles.resize_map("events", 4096)
        with pytest.raises(ValueError, match="cannot be set"):
            loaded["handles"].share_maps(loaded["processes"])


class TestVariables:
    """Globals of a BPF object."""

    def test_a_variable_reaches_the_running_program(self, loaded: dict[str, BpfObject]) -> None:
        first = loaded["processes"]
        with Holder() as holder:
            first.set_variable("census_local_pid", struct.pack("=I", holder.pid))
            rows = np.frombuffer(first.iterate("census"), abi.TASK_ROW)
            first.set_variable("census_local_pid", struct.pack("=I", 0))
            assert set(rows["local_pid"].tolist()) == {holder.pid}
            assert rows["local_tid"].tolist() == sorted(
                int(tid) for tid in os.listdir(f"/proc/{holder.pid}/task")
            )

    def test_names_and_sizes(self, loaded: dict[str, BpfObject]) -> None:
        first = loaded["processes"]
        with pytest.raises(KeyError, match="no variable nothing"):
            first.set_variable("nothing", bytes(4))
        with pytest.raises(ValueError, match="has 4 bytes"):
            first.set_variable("census_tables", bytes(8))
        assert first.has_constant("processors")
        assert not first.has_constant("census_tables")
        with BpfObject(object_path("processes")) as fresh:
            fresh.set_variable("census_tables", struct.pack("=I", 1))  # before load, too
