"""The memory of a running process, and every way in which it can stop being there."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.holding import HOLE, PAGE, PAGES, TARGETS, Holder, pattern, recycled
from memprobe.errors import (
    NoSuchProcess,
    NotPermitted,
    ReadFault,
    TargetExited,
    TargetGone,
    TargetReplaced,
)
from memprobe.target.memory.live import LiveMemory
from memprobe.vocab import Memory, TargetId


@pytest.fixture(scope="module")
def holder() -> Iterator[Holder]:
    with Holder() as held:
        yield held


@pytest.fixture
def memory(holder: Holder) -> Iterator[LiveMemory]:
    with LiveMemory(holder.id, holder.pidfd) as opened:
        yield opened


def test_it_is_a_memory(memory: LiveMemory, holder: Holder) -> None:
    assert isinstance(memory, Memory)
    assert memory.pid == holder.pid


@pytest.mark.parametrize("size", [0, 1, 8, PAGE, PAGE + 1, HOLE * PAGE])
def test_read_gives_exactly_what_is_there(memory: LiveMemory, holder: Holder, size: int) -> None:
    assert memory.read(holder.base, size) == pattern(0, size)


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (HOLE * PAGE, 1),
        (HOLE * PAGE - 1, 2),
        (PAGES * PAGE, 1),
        (PAGES * PAGE - 8, 16),
        (0, (HOLE + 2) * PAGE),
    ],
)
def test_what_is_not_all_there_faults(memory: LiveMemory, holder: Holder, offset: int, size: int) -> None:
    with pytest.raises(ReadFault) as caught:
        memory.read(holder.base + offset, size)
    fault = caught.value
    assert (fault.pid, fault.address, fault.size) == (holder.pid, holder.base + offset, size)
    assert fault.errno == errno.EFAULT


NONSENSE = [
    (-1, 8),
    (-(1 << 70), 8),
    (1 << 64, 8),
    (1 << 80, 1),
    ((1 << 64) - 4, 8),
    (4096, 1 << 40),
    (0, -1),
]


@pytest.mark.parametrize(("address", "size"), NONSENSE)
def test_nonsense_from_a_hostile_target_is_a_fault(
    memory: LiveMemory, holder: Holder, address: int, size: int
) -> None:
    with pytest.raises(ReadFault):
        memory.read(address, size)
    assert memory.read_many([(holder.base, 4), (address, size), (holder.base + 4, 4)]) == [
        pattern(0, 4),
        b"",
        pattern(4, 4),
    ]


def test_read_many_gives_what_there_is(memory: LiveMemory, holder: Holder) -> None:
    edge = holder.base + HOLE * PAGE
    regions = [(holder.base + 5, 100), (edge - 10, 20), (edge, 20), (edge + PAGE, 3)]
    assert memory.read_many(regions) == [
        pattern(5, 100),
        pattern(HOLE * PAGE - 10, 10),
        b"",
        pattern((HOLE + 1) * PAGE, 3),
    ]
    assert memory.read_many([]) == []


def test_read_into_keeps_every_region_in_its_place(memory: LiveMemory, holder: Holder) -> None:
    edge = holder.base + HOLE * PAGE
    buffer = memoryview(bytearray(b"." * 40))
    assert memory.read_into([(edge - 4, 8), (-5, 8), (holder.base, 8)], buffer) == [4, 0, 8]
    assert bytes(buffer) == pattern(HOLE * PAGE - 4, 4) + b"." * 12 + pattern(0, 8) + b"." * 16


def test_read_into_needs_room(memory: LiveMemory, holder: Holder) -> None:
    with pytest.raises(ValueError, match="destination"):
        memory.read_into([(holder.base, 9)], memoryview(bytearray(8)))


REGIONS = st.tuples(st.integers(0, PAGES * PAGE + PAGE), st.integers(0, 2 * PAGE))


@settings(max_examples=100, deadline=None)
@given(st.lists(REGIONS, max_size=20))
def test_three_ways_to_read_agree(holder: Holder, regions: list[tuple[int, int]]) -> None:
    where = [(holder.base + offset, size) for offset, size in regions]
    with LiveMemory(holder.id, holder.pidfd) as memory:
        many = memory.read_many(where)
        buffer = memoryview(bytearray(sum(size for _, size in regions)))
        got = memory.read_into(where, buffer)
        start = 0
        for (address, size), data, count in zip(where, many, got, strict=True):
            assert len(data) == count
            assert buffer[start : start + count] == data
            if count == size:
                assert memory.read(address, size) == data
            start += size


def test_statistics_count_what_was_read(holder: Holder) -> None:
    with LiveMemory(holder.id, holder.pidfd) as memory:
        memory.read(holder.base, 100)
        memory.read_many([(holder.base, 10), (holder.base + HOLE * PAGE - 5, 10)])
        with pytest.raises(ReadFault):
            memory.read(0, 8)
        seen = memory.statistics()
        assert (seen.reads, seen.bytes, seen.faults) == (3, 115, 2)


def test_closed_is_closed(holder: Holder) -> None:
    before = len(os.listdir("/proc/self/fd"))
    memory = LiveMemory(holder.id, holder.pidfd)
    memory.close()
    memory.close()
    for read in (lambda: memory.read(holder.base, 8), lambda: memory.read_many([(holder.base, 8)])):
        with pytest.raises(ValueError, match="is closed"):
            read()
    assert len(os.listdir("/proc/self/fd")) == before
    os.fstat(holder.pidfd)


def test_it_does_not_depend_on_the_callers_pidfd(holder: Holder) -> None:
    pidfd = os.pidfd_open(holder.pid)
    with LiveMemory(holder.id, pidfd) as memory:
        os.close(pidfd)
        assert memory.read(holder.base, 8) == pattern(0, 8)


def test_no_such_process(holder: Holder) -> None:
    with pytest.raises(NoSuchProcess, match="no process 4194305"):
        LiveMemory(TargetId((1 << 22) + 1, 0), holder.pidfd)


def test_a_process_that_has_ended() -> None:
    with Holder() as holder, LiveMemory(holder.id, holder.pidfd) as memory:
        holder.process.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TargetExited, match=f"process {holder.pid} ended"):
            memory.read(holder.base, 8)
        with pytest.raises(TargetExited):
            LiveMemory(holder.id, holder.pidfd)
        holder.kill()
        with pytest.raises(TargetExited):
            memory.read_many([(holder.base, 8)])
        with pytest.raises(TargetGone):
            LiveMemory(holder.id, holder.pidfd)


@pytest.mark.parametrize("many", [False, True])
def test_a_process_that_ends_while_it_is_read_has_exited_not_been_replaced(many: bool) -> None:
    for _ in range(20):
        with Holder() as holder, LiveMemory(holder.id, holder.pidfd) as memory:
            threading.Timer(0.002, holder.process.kill).start()
            with pytest.raises(TargetExited):
                read_for_ever(memory, holder.base, many=many)


def read_for_ever(memory: LiveMemory, base: int, *, many: bool = False) -> None:
    while True:
        if many:
            assert memory.read_many([(base, 64)] * 50) == [pattern(0, 64)] * 50
        else:
            assert memory.read(base, 64) == pattern(0, 64)


def test_a_process_that_calls_exec_is_another_program() -> None:
    with Holder() as holder, LiveMemory(holder.id, holder.pidfd) as memory:
        holder.tell("exec")
        for _ in range(2):
            with pytest.raises(TargetReplaced, match="called exec") as caught:
                memory.read(holder.base, 8)
            with pytest.raises(TargetReplaced):
                memory.read_many([(holder.base, 8)])
        assert caught.value.remedy


class Respawner:
    """A shell that calls exec on itself for ever; addresses stay, the command line counts up."""

    def __init__(self) -> None:
        command = ["setarch", "-R", "sh", str(TARGETS / "respawns.sh"), "1000000"]
        self.process = subprocess.Popen(command)
        self.id = TargetId(self.process.pid, 0)
        self.pidfd = os.pidfd_open(self.process.pid)
        while self.command_line()[:1] != [b"sh"]:
            time.sleep(0.001)

    def command_line(self) -> list[bytes]:
        return Path(f"/proc/{self.id.pid}/cmdline").read_bytes().split(b"\0")

    def argument_address(self) -> int:
        """Where the kernel put the command line of the present program."""
        stat = Path(f"/proc/{self.id.pid}/stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[45])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)


def test_exec_again_and_again_never_gives_bytes_of_the_next_program() -> None:
    shell, replaced, read = Respawner(), 0, 0
    address, size = shell.argument_address(), len("sh\0\0") + len(str(TARGETS / "respawns.sh"))
    try:
        # So many, or those that were read prove nothing: how many are depends on who else wants the CPU.
        while replaced < 400 or read <= 40:
            with LiveMemory(shell.id, shell.pidfd) as memory:
                seen = set()
                try:
                    while True:
                        if shell.argument_address() != address:
                            continue  # between two programs
                        if (found := numbered(memory, address + size)) is not None:
                            seen.add(found)
                except TargetReplaced:
                    replaced += 1
            assert len(seen) <= 1, "one memory is one program"
            read += len(seen)
    finally:
        shell.close()


def numbered(memory: LiveMemory, address: int) -> bytes | None:
    """The seven digits at an address; None while the kernel sets the program up."""
    try:
        first = memory.read(address - 1, 8)
        (second,) = memory.read_many([(address - 1, 8)])
    except ReadFault:
        return None
    if len(second) < 8 or not (first[1:].isdigit() and second[1:].isdigit()):
        return None
    assert first == second
    return first


def test_threads_that_outlive_their_leader_can_be_read() -> None:
    with Holder() as holder, LiveMemory(holder.id, holder.pidfd) as memory:
        holder.tell("exit-leader")
        for _ in range(1000):
            assert memory.read(holder.base, 8) == pattern(0, 8)
            assert memory.read_many([(holder.base, 8)]) == [pattern(0, 8)]


def test_a_recycled_pid_is_never_read() -> None:
    first = Holder()
    memory = LiveMemory(first.id, first.pidfd)
    first.kill()
    second = recycled(first.pid)
    if second is None:
        pytest.skip("pids cannot be chosen here")
    with first, second:
        assert LiveMemory(second.id, second.pidfd).read(second.base, 8) == pattern(0, 8)
        for _ in range(3):
            with pytest.raises(TargetExited):
                memory.read(second.base, 8)
            with pytest.raises(TargetExited):
                memory.read_many([(second.base, 8)])
        # Nor is it, if the pid was already the other process's when its memory was opened.
        with pytest.raises(TargetExited):
            LiveMemory(first.id, first.pidfd)
    memory.close()


def test_another_users_process_is_not_permitted(holder: Holder) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            LiveMemory(holder.id, holder.pidfd)
        except NotPermitted as error:
            os.write(write_end, pickle.dumps(error))
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    with open(read_end, "rb") as pipe:
        refusal = pickle.load(pipe)
    assert refusal.exit_code == 3
    assert refusal.fact == f"no right to read the memory of process {holder.pid}"
    assert f"memprobe doctor {holder.pid}" in refusal.remedy
