"""Programs of several objects: attached, detached, hit; and what holds them."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
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
    has_helper,
    object_path,
    open_tracefs,
    table_path,
)
from memprobe.sources.kernel.table import programs
from memprobe.sources.kernel.tracepoints import read_numbers
from native.loading import ONLY, SHAPES, follow, made_knobs, numbers
from native.uninstrumented import uninstrumented
from patience import TRIES, until

pytestmark = pytest.mark.usefixtures("bpf")


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

    def test_a_program_that_memprobe_runs_itself(self, loaded: dict[str, BpfObject]) -> None:
        processes = loaded["processes"]
        assert processes.run("task_counted", struct.pack("=2Q", 0, 1)) == 0  # there is no task
        assert processes.read_map("counted_row", ONLY) == bytes(abi.TASK_ROW.itemsize)
        with pytest.raises(KeyError, match="no program nothing"):
            processes.run("nothing", b"")
        for arguments in (b"", bytes(8 * 13)):
            with pytest.raises(BpfError, match="cannot run task_counted"):
                processes.run("task_counted", arguments)

    def test_helpers_that_a_kernel_has(self) -> None:
        get_current_pid_tgid = 14
        assert has_helper(get_current_pid_tgid)
        assert not has_helper(1_000_000)

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

    def test_aside_it_is_not_waited_for_and_holds_nothing(self, loaded: dict[str, BpfObject]) -> None:
        handles = loaded["handles"]
        points = [point for row in programs() if row.name == "born" for point, _ in row.points]
        found = list(read_numbers(points).values())
        assert len(found) > 30

        def is_left_to_helpers() -> bool:
            """Whether it goes on when the call is over, and a pipe of ours ended meanwhile."""
            reading, writing = os.pipe()
            attached = [(handles, handles.attach_tracepoint("born", number)) for number in found]
            detach_aside(attached)
            os.close(writing)
            assert os.read(reading, 1) == b""
            os.close(reading)
            is_under_way = bool(helpers())
            until(lambda: not helpers())
            return is_under_way

        assert any(is_left_to_helpers() for _ in range(TRIES))


def helpers() -> list[str]:
    """Helper processes of ours that still run."""
    listed = uninstrumented(["ps", "-eo", "stat=,comm="])
    return [line for line in listed.splitlines() if "memprobe-detach" in line and not line.startswith("Z")]


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
        loaded["processes"].write_map("knobs", ONLY, made_knobs())

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
