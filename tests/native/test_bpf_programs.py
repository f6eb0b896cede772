"""The parts of the extension that a run of several BPF objects needs: shared maps, hooks, rings, helpers."""

from __future__ import annotations

import errno
import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memory.holding import Holder
from memprobe import abi
from memprobe.native.bpf import (
    BpfError,
    BpfObject,
    Ring,
    detach_aside,
    enable_statistics,
    object_path,
    open_tracefs,
    table_path,
)
from memprobe.sources.kernel.table import programs
from memprobe.sources.kernel.tracepoints import read_numbers
from native.uninstrumented import uninstrumented

pytestmark = pytest.mark.usefixtures("bpf")

SHAPES = {
    abi.RecordKind.BIRTH.value: (64, 60),
    abi.RecordKind.DEATH.value: (48, 0),
}
ONLY = struct.pack("=I", 0)


@pytest.fixture(scope="module")
def loaded() -> Iterator[dict[str, BpfObject]]:
    """Two objects that share maps, with births and deaths wanted of nobody."""
    first = BpfObject(object_path("processes"), name="processes")
    first.resize_map("events", 1 << 16)
    first.load()
    second = BpfObject(object_path("handles"), name="handles")
    second.share_maps(first)
    second.load()
    first.write_map("knobs", ONLY, _knobs())
    with first, second:
        yield {"processes": first, "handles": second}


def _knobs() -> bytes:
    row = np.zeros(1, abi.KNOBS)
    row["handles"] = 1
    return row.tobytes()


def follow(loaded: dict[str, BpfObject], pid: int) -> None:
    loaded["processes"].write_map("targets", struct.pack("=I", pid), bytes(abi.TARGET.itemsize))


def numbers(*points: str) -> list[int]:
    found = read_numbers(f"syscalls/{point}" for point in points)
    return list(found.values())


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


def losses(loaded: dict[str, BpfObject]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    found = [loaded["processes"].read_map("losses", struct.pack("=I", loss.id)) for loss in abi.LOSSES]
    return np.array([np.frombuffer(one or b"", "<u8").sum() for one in found])


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


class TestPrograms:
    """Leaving out, iterating, counting."""

    def test_a_program_that_was_left_out(self) -> None:
        with BpfObject(object_path("collector")) as found:
            found.leave_out("collection_ends")
            with pytest.raises(KeyError):
                found.leave_out("nothing")
            found.load()
            with pytest.raises(ValueError, match="left out"):
                found.attach("collection_ends")
            assert set(found.run_counts) == {"collection_begins"}
            with pytest.raises(ValueError, match="cannot be set"):
                found.leave_out("collection_begins")
            with pytest.raises(ValueError, match="cannot be set"):
                found.resize_map("collections", 5)

    def test_only_raw_tracepoints_attach_by_name(self, loaded: dict[str, BpfObject]) -> None:
        with pytest.raises(ValueError, match="names no raw tracepoint"):
            loaded["handles"].attach("born")
        number = loaded["processes"].attach("exited")
        loaded["processes"].detach(number)

    def test_runs_are_counted_while_statistics_are_enabled(
        self, loaded: dict[str, BpfObject], duplicating: Holder
    ) -> None:
        descriptor = enable_statistics()
        assert not os.get_inheritable(descriptor)
        before = loaded["handles"].run_counts["born"]
        duplicating.tell("dup 50")
        runs, nanoseconds, _ = loaded["handles"].run_counts["born"]
        os.close(descriptor)
        assert runs - before[0] >= 50
        assert nanoseconds > before[1]

    def test_iterating_what_is_no_iterator(self, loaded: dict[str, BpfObject]) -> None:
        with pytest.raises(BpfError, match="cannot read from exited"):
            loaded["processes"].iterate("exited")

    def test_a_tracepoint_that_is_not_there(self, loaded: dict[str, BpfObject]) -> None:
        with pytest.raises(BpfError, match="cannot attach born"):
            loaded["handles"].attach_tracepoint("born", 999_999)


class TestDetaching:
    """Taking programs from their hooks."""

    def test_nothing_comes_any_more(self, loaded: dict[str, BpfObject]) -> None:
        handles = loaded["handles"]
        ring = Ring(loaded["processes"], "events", SHAPES)
        ring.drain()
        with Holder() as holder:
            follow(loaded, holder.pid)
            (dup,) = numbers("sys_exit_dup")
            number = handles.attach_tracepoint("born", dup)
            holder.tell("dup 10")
            handles.detach(number)
            handles.detach(number)  # no harm
            holder.tell("dup 10")
            assert len(ring.drain()[2][0]) == 10 * 64

    def test_numbers_that_were_never_given(self, loaded: dict[str, BpfObject]) -> None:
        with pytest.raises(KeyError, match="no attachment 9999"):
            loaded["handles"].detach(9999)
        with pytest.raises(KeyError, match="no attachment 9999"):
            detach_aside([(loaded["handles"], 9999)])
        with pytest.raises(TypeError):
            detach_aside([("not an object", 1)])  # type: ignore[list-item]
        detach_aside([])

    def test_aside_takes_no_time(self, loaded: dict[str, BpfObject]) -> None:
        handles = loaded["handles"]
        found = list(
            read_numbers(
                point for row in programs() if row.name == "born" for point, _ in row.points
            ).values()
        )
        attached = [(handles, handles.attach_tracepoint("born", number)) for number in found]
        began = time.monotonic()
        detach_aside(attached)
        took_s = time.monotonic() - began
        assert len(found) > 30
        assert took_s < 0.025 * len(found), "one after the other they take 75 ms each"
        wait_until(lambda: not helpers())

    def test_the_helpers_hold_nothing_but_what_they_close(self, loaded: dict[str, BpfObject]) -> None:
        # A pipe of ours that a helper held open would keep its reader waiting.
        handles = loaded["handles"]
        reading, writing = os.pipe()
        attached = [
            (handles, handles.attach_tracepoint("born", number)) for number in numbers("sys_exit_dup")
        ]
        detach_aside(attached)
        os.close(writing)
        began = time.monotonic()
        assert os.read(reading, 1) == b""
        os.close(reading)
        assert time.monotonic() - began < 0.05


def helpers() -> list[str]:
    """Helper processes of ours that still run."""
    listed = uninstrumented(["ps", "-eo", "stat=,comm="])
    return [line for line in listed.splitlines() if "memprobe-detach" in line and not line.startswith("Z")]


def wait_until(condition: object, timeout_s: float = 8.0) -> None:
    deadline = time.monotonic() + timeout_s
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestUprobes:
    """Probes on instructions of a binary."""

    PROGRAM = """if True:
        import ctypes, sys
        library = ctypes.CDLL(sys.argv[1])
        print("ready", flush=True)
        for line in sys.stdin:
            for _ in range(int(line)):
                library.probed(7)
            print("done", flush=True)
    """

    @pytest.fixture
    def library(self, tmp_path: Path) -> Path:
        source = tmp_path / "probed.s"
        source.write_text(
            ".globl probed\n.type probed,@function\nprobed:\n push %rbp\n pop %rbp\n mov %edi,%eax\n ret\n"
        )
        made = tmp_path / "libprobed.so"
        subprocess.run(["cc", "-shared", "-nostdlib", "-o", made, source], check=True)
        return made

    def offset(self, library: Path) -> int:
        listed = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout
        found = re.search(r"([0-9a-f]+) T probed", listed)
        assert found is not None
        # Loaded at 0x1000 from 0x1000 of the file, as linkers do without a script.
        return int(found[1], 16)

    def test_hits_carry_their_cookie(self, library: Path, loaded: dict[str, BpfObject]) -> None:
        with BpfObject(object_path("allocator"), name="allocator") as allocator:
            allocator.share_maps(loaded["processes"])
            allocator.load()
            command = [sys.executable, "-c", self.PROGRAM, str(library)]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as target:
                assert target.stdin is not None
                assert target.stdout is not None
                target.stdout.readline()
                follow(loaded, target.pid)
                knobs = np.zeros(1, abi.KNOBS)
                knobs["growth"] = 1
                knobs["growth_pages"] = 1
                loaded["processes"].write_map("knobs", ONLY, knobs.tobytes())
                cookie = abi.GrowthHow.LARGE | abi.CookieRegister.DI << 8 | 1000 << 24
                allocator.attach_uprobe("heap_grew", library, self.offset(library), target.pid, cookie)
                print("100", file=target.stdin, flush=True)
                target.stdout.readline()
                key = np.zeros(1, abi.GROWTH_KEY)
                key["pid"], key["how"] = target.pid, abi.GrowthHow.LARGE
                total = np.frombuffer(allocator.read_map("growth", key.tobytes()) or b"", abi.GROWTH_TOTAL)
                assert total["events"].tolist() == [100]
                assert total["grown_bytes"].tolist() == [100 * 1007]
                target.stdin.close()
        loaded["processes"].write_map("knobs", ONLY, _knobs())

    def test_binaries_that_are_not_there(self, loaded: dict[str, BpfObject], tmp_path: Path) -> None:
        with BpfObject(object_path("allocator")) as allocator:
            allocator.share_maps(loaded["processes"])
            allocator.load()
            for path in (tmp_path / "none", tmp_path):
                with pytest.raises(BpfError, match="cannot attach heap_grew"):
                    allocator.attach_uprobe("heap_grew", path, 64, os.getpid())
            with pytest.raises(BpfError, match="cannot attach heap_grew"):
                allocator.attach_uprobe("heap_grew", sys.executable, 64, 1 << 22)


def test_events_of_a_thread(loaded: dict[str, BpfObject]) -> None:
    with BpfObject(object_path("growth")) as growth:
        growth.share_maps(loaded["processes"])
        growth.load()
        software, page_faults = 1, 2
        number = growth.attach_event(
            "page_faulted", kind=software, config=page_faults, period=1, tid=os.getpid(), inherit=True
        )
        growth.detach(number)
        with pytest.raises(BpfError, match="cannot attach page_faulted"):
            growth.attach_event("page_faulted", kind=99, config=0, period=1, tid=os.getpid())


def test_tracefs_needs_no_mount_that_anybody_sees() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    root = open_tracefs()
    assert not os.get_inheritable(root)
    number = os.open("events/syscalls/sys_enter_close/id", os.O_RDONLY, dir_fd=root)
    assert int(os.read(number, 20)) > 0
    os.close(number)
    with pytest.raises(OSError, match="Read-only"):
        os.open("events/syscalls/enable", os.O_WRONLY, dir_fd=root)
    assert Path("/proc/self/mountinfo").read_text() == before
    os.close(root)


def test_the_table_is_that_of_the_probes() -> None:
    probes = Path(__file__).resolve().parents[2] / "probes" / "programs.json"
    assert table_path().read_bytes() == probes.read_bytes()


def test_everything_is_closed_by_exec(loaded: dict[str, BpfObject], duplicating: Holder) -> None:
    ring = Ring(loaded["processes"], "events", SHAPES)
    inherited = [
        number
        for number in os.listdir("/proc/self/fd")
        if number.isdecimal() and _is_bpf(number) and _stays(number)
    ]
    ring.close()
    assert inherited == []


def _is_bpf(number: str) -> bool:
    try:
        return any(kind in os.readlink(f"/proc/self/fd/{number}") for kind in ("bpf", "perf_event"))
    except OSError:
        return False


def _stays(number: str) -> bool:
    return os.get_inheritable(int(number))
