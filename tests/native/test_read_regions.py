"""The batched reader of remote memory, on a real process."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
import sys
import threading
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.holding import HOLE, PAGE, PAGES, TARGETS, Holder, pattern, recycled
from memprobe.native import read_region, read_regions

END = PAGES * PAGE
HOLE_START, HOLE_END = HOLE * PAGE, (HOLE + 1) * PAGE
CONTENT = pattern(0, END)


@pytest.fixture(scope="module")
def holder() -> Iterator[Holder]:
    with Holder() as held:
        yield held


def readable(offset: int, size: int) -> int:
    """How much of a region can be read, as the reader reports it."""
    if size == 0:
        return 0
    if offset < 0 or HOLE_START <= offset < HOLE_END or offset >= END:
        return -errno.EFAULT
    return min(offset + size, HOLE_START if offset < HOLE_START else END) - offset


def check(holder: Holder, regions: list[tuple[int, int]], *, mem_fd: int | None = None) -> None:
    """Read regions and hold every byte and count against what the target has."""
    room, done = holder.read(regions, mem_fd=mem_fd)
    assert done == [readable(*region) for region in regions]
    starts = accumulate((size for _, size in regions), initial=0)
    for (offset, size), start, count in zip(regions, starts, done, strict=False):
        got = max(0, count)
        assert room[start : start + got] == CONTENT[offset : offset + got]
        assert room[start + got : start + size] == bytes(size - got), "nothing else is written"


@pytest.mark.parametrize("count", [0, 1, 2, 1023, 1024, 1025, 2048, 5000])
def test_every_region_of_a_batch_arrives(holder: Holder, count: int) -> None:
    check(holder, [(HOLE_END + i * 37 % 100_000, 1 + i * 7 % 300) for i in range(count)])


@pytest.mark.parametrize("bad", [0, 1, 511, 1022, 1023, 1024, 1025, 1499])
def test_a_bad_region_costs_only_itself(holder: Holder, bad: int) -> None:
    regions = [(i * 8, 8) for i in range(1500)]
    regions[bad] = (HOLE_START + 100, 50)
    check(holder, regions)


def test_every_second_region_bad(holder: Holder) -> None:
    check(holder, [(i * 3, 5) if i % 2 else (HOLE_START + i % PAGE, 5) for i in range(3000)])


def test_nothing_readable_at_all(holder: Holder) -> None:
    check(holder, [(HOLE_START + i, 1) for i in range(1100)])


@pytest.mark.parametrize("size", [1, 16, 17, PAGE, PAGE + 1, 3 * PAGE])
@pytest.mark.parametrize("edge", [HOLE_START, END])
def test_a_region_over_an_edge_comes_up_to_the_edge(holder: Holder, edge: int, size: int) -> None:
    check(holder, [(100, 10), (edge - 16, size), (edge - 1, size), (edge, size), (200, 10)])


def test_empty_regions_have_nothing_and_harm_nothing(holder: Holder) -> None:
    check(holder, [(0, 0), (50, 10), (HOLE_START, 0), (60, 10), (HOLE_START, 5), (0, 0), (70, 10), (END, 0)])


@pytest.mark.parametrize("address", [0, 1, (1 << 47) - 1, 1 << 47, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1])
def test_addresses_that_nobody_has(holder: Holder, address: int) -> None:
    room, done = bytearray(24), array("q", [0] * 3)
    regions = array("Q", [holder.base, 8, address, 8, holder.base + 8, 8])
    assert read_regions(holder.pid, holder.pidfd, holder.mem_fd, regions, room, done) == 16
    assert list(done) == [8, -errno.EFAULT, 8]
    assert bytes(room) == CONTENT[:8] + bytes(8) + CONTENT[8:16]
    assert read_region(holder.pid, holder.pidfd, holder.mem_fd, address, 8) == b""


OFFSETS = st.one_of(st.integers(-PAGE, END + PAGE), st.sampled_from([0, HOLE_START, HOLE_END, END]))
SIZES = st.one_of(st.integers(0, 64), st.integers(0, 3 * PAGE))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(OFFSETS.filter(lambda offset: offset >= 0), SIZES), max_size=50))
def test_any_regions(holder: Holder, regions: list[tuple[int, int]]) -> None:
    check(holder, regions)


@settings(max_examples=200, deadline=None)
@given(OFFSETS.filter(lambda offset: offset >= 0), SIZES)
def test_one_region_is_what_many_would_be(holder: Holder, offset: int, size: int) -> None:
    data = read_region(holder.pid, holder.pidfd, holder.mem_fd, holder.base + offset, size)
    got = max(0, readable(offset, size))
    assert data == CONTENT[offset : offset + got]


def test_one_region_larger_than_a_transfer_of_the_kernel() -> None:
    # The kernel moves just under 2 GiB at once: the reader has to cut it. The target is this process itself.
    size = (1 << 31) + 3 * WINDOW
    room = size + WINDOW
    source, destination = repeated(room), repeated(room)
    ctypes.memmove(source, CONTENT, len(CONTENT))
    regions, done = array("Q", [source, size, source + 5, 11]), array("q", [0, 0])
    buffer = (ctypes.c_char * room).from_address(destination)
    try:
        assert read_regions(os.getpid(), -1, -1, regions, buffer, done) == size + 11
        assert list(done) == [size, 11]
        expected = CONTENT[5:16] + CONTENT[11:].ljust(WINDOW - 11, b"\0")
        assert ctypes.string_at(destination, WINDOW) == expected
    finally:
        for address in (source, destination):
            LIBC.munmap(ctypes.c_void_p(address), ctypes.c_size_t(room))


WINDOW = 1 << 21
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def repeated(size: int) -> int:
    """The address of a large stretch of memory that is the same 2 MiB over and over."""
    fixed, windows, private = 0x10, -(-size // WINDOW), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = LIBC.mmap(None, windows * WINDOW, mmap.PROT_READ, private, -1, 0)
    fd = os.memfd_create("window")
    os.truncate(fd, WINDOW)
    for window in range(windows):
        at, flags = start + window * WINDOW, mmap.MAP_SHARED | fixed
        assert LIBC.mmap(at, WINDOW, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, 0) == at
    os.close(fd)
    assert isinstance(start, int)
    return start


class TestArguments:
    """Sizes that do not fit are refused before anything is read."""

    def read(self, regions: object, destination: object, done: object) -> int:
        return read_regions(os.getpid(), -1, -1, regions, destination, done)  # type: ignore[arg-type]

    def test_half_a_region(self) -> None:
        with pytest.raises(ValueError, match="pairs"):
            self.read(bytes(24), bytearray(8), bytearray(8))

    @pytest.mark.parametrize("length", [0, 8, 15, 17, 24])
    def test_counts_that_do_not_fit(self, length: int) -> None:
        with pytest.raises(ValueError, match="8 bytes per region"):
            self.read(bytes(32), bytearray(8), bytearray(length))

    @pytest.mark.parametrize(
        "sizes", [(9, 0), (8, 1), (1 << 63, 1 << 63), ((1 << 64) - 1, 2), (5, (1 << 64) - 4)]
    )
    def test_a_destination_that_is_too_small(self, sizes: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="destination"):
            self.read(array("Q", [1, sizes[0], 1, sizes[1]]), bytearray(8), bytearray(16))

    def test_buffers_that_cannot_be_written(self) -> None:
        with pytest.raises(TypeError):
            self.read(bytes(16), bytes(8), bytearray(8))
        with pytest.raises(TypeError):
            self.read(bytes(16), bytearray(8), bytes(8))

    def test_what_is_no_buffer(self) -> None:
        with pytest.raises(TypeError):
            self.read([(1, 2)], bytearray(8), bytearray(8))

    def test_misaligned_buffers(self, holder: Holder) -> None:
        regions = memoryview(b"x" + array("Q", [holder.base + 3, 8]).tobytes())[1:]
        done = memoryview(bytearray(9))[1:]
        room = memoryview(bytearray(9))[1:]
        assert read_regions(holder.pid, holder.pidfd, holder.mem_fd, regions, room, done) == 8
        assert bytes(room) == CONTENT[3:11]
        assert int.from_bytes(done, sys.byteorder) == 8

    def test_a_size_below_zero(self) -> None:
        with pytest.raises(ValueError, match="below zero"):
            read_region(os.getpid(), -1, -1, 0, -1)

    def test_a_descriptor_that_is_closed(self, holder: Holder) -> None:
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            read_region(holder.pid, 1 << 20, -1, holder.base, 8)
        assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOSYS])
def test_the_file_is_read_where_the_system_call_is_forbidden(holder: Holder, refusal: int) -> None:
    size = 3 * PAGE
    numbers = map(str, (refusal, holder.pid, holder.base, size))
    command = [sys.executable, str(TARGETS / "refused_reader.py"), *numbers]
    without, with_file = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert without == f"{errno.errorcode[refusal]} True"
    fault = -errno.EFAULT
    done = [size, fault, 16, fault, 0]
    edge = CONTENT[HOLE_START - 16 : HOLE_START]
    assert with_file == f"{size + 16} {done} {CONTENT[:size].hex()} {edge.hex()}"


def test_reading_another_users_process_is_refused(holder: Holder) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            read_region(holder.pid, holder.pidfd, -1, holder.base, 8)
        except PermissionError as error:
            os.write(write_end, f"{error.errno} {error}".encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    said = os.read(read_end, 200).decode()
    os.close(read_end)
    assert said.startswith(f"{errno.EPERM} ")
    assert f"reading pid {holder.pid} at {holder.base:#x}: Operation not permitted" in said


def test_an_ended_process_is_told_from_a_fault() -> None:
    with Holder() as holder:
        holder.process.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
        for mem_fd in (-1, holder.mem_fd):
            with pytest.raises(ProcessLookupError) as caught:
                holder.read([(0, 8)], mem_fd=mem_fd)
            assert (caught.value.pid, caught.value.address) == (holder.pid, holder.base)  # type: ignore[attr-defined]
        holder.kill()
        with pytest.raises(ProcessLookupError):
            holder.read([(0, 8)])


def check_for_ever(holder: Holder, mem_fd: int | None) -> NoReturn:
    while True:
        check(holder, [(0, 8 * PAGE), (HOLE_END, 8 * PAGE)] * 8, mem_fd=mem_fd)


@pytest.mark.parametrize("mem_fd", [None, -1])
def test_a_process_that_ends_while_it_is_read(mem_fd: int | None) -> None:
    with Holder() as holder:
        killer = threading.Timer(0.02, holder.process.kill)
        killer.start()
        with pytest.raises(OSError, match=r"ended|torn down") as caught:
            check_for_ever(holder, mem_fd)
        # Between giving up its memory and being dead a process is neither; LiveMemory tells them apart.
        assert caught.value.errno in (errno.ESRCH, errno.ESTALE)
        killer.join()


def test_a_program_replaced_by_exec_is_not_read() -> None:
    with Holder() as holder:
        assert holder.read([(0, 8)]) == (CONTENT[:8], [8])
        holder.tell("exec")
        for regions in ([(0, 8)], [(0, 8)] * 2000, [(-holder.base, 8)]):
            with pytest.raises(OSError, match="replaced") as caught:
                holder.read(regions)
            assert caught.value.errno == errno.ESTALE
        with pytest.raises(OSError, match="replaced"):
            read_region(holder.pid, holder.pidfd, holder.mem_fd, holder.base, 8)


def test_a_recycled_pid_is_known_by_pidfd_or_memory() -> None:
    with Holder() as first:
        first.kill()
        second = recycled(first.pid)
        if second is None:
            pytest.skip("pids cannot be chosen here")
        with second:
            arguments = second.base, 8
            assert read_region(first.pid, -1, -1, *arguments) == CONTENT[:8], "this is what must not happen"
            with pytest.raises(ProcessLookupError):
                read_region(first.pid, first.pidfd, -1, *arguments)
            with pytest.raises(OSError, match="replaced or torn down"):
                read_region(first.pid, -1, first.mem_fd, *arguments)


def test_threads_that_outlive_their_leader_can_be_read() -> None:
    with Holder() as holder:
        holder.tell("exit-leader")
        _wait_for_state(holder.pid, "Z")
        check(holder, [(0, 100), (HOLE_START - 10, 100)])
        with pytest.raises(ProcessLookupError):
            holder.read([(0, 8)], mem_fd=-1)


def _wait_for_state(pid: int, state: str) -> None:
    while True:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == state:
                return
        os.sched_yield()


def test_other_threads_run_while_the_kernel_reads(holder: Holder) -> None:
    # A page that nobody fills holds the reader in the kernel, for as long as this test needs.
    withheld = subprocess.Popen(
        [sys.executable, TARGETS / "withholds_page.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with withheld:
        assert withheld.stdin is not None
        assert withheld.stdout is not None
        answer = withheld.stdout.readline().strip()
        if answer == "refused":
            pytest.skip("no userfaultfd here")
        data: list[bytes] = []
        reader = threading.Thread(
            target=lambda: data.append(read_region(withheld.pid, -1, -1, int(answer), 8))
        )
        reader.start()
        withheld.stdin.write("fill\n")
        withheld.stdin.flush()
        assert withheld.stdout.readline().strip() == "waiting for it"
        reader.join()
        assert data == [bytes(8)]
        withheld.stdin.close()


def test_failures_leave_no_descriptor_and_no_memory(holder: Holder) -> None:
    def fail() -> None:
        for _ in range(2000):
            with pytest.raises(OSError, match="reading pid"):
                read_region(1 << 30, -1, -1, holder.base, 100_000)
            with pytest.raises(ValueError, match="destination"):
                read_regions(1, -1, -1, array("Q", [1, 2] * 5000), bytearray(1), bytearray(40_000))

    fail()
    before = _resident_kb(), len(os.listdir("/proc/self/fd"))
    fail()
    after = _resident_kb(), len(os.listdir("/proc/self/fd"))
    # One leaked buffer per call would be 280 MB here.
    assert after[0] - before[0] < 20_000
    assert after[1] == before[1]


def _resident_kb() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
