"""libbpf through the extension: the smoke probe on a real process, and everything that can go wrong."""

from __future__ import annotations

import errno
import gc
import json
import os
import platform
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.holding import Holder
from memprobe.native import bpf
from memprobe.native.bpf import BpfError, BpfObject
from native.uninstrumented import uninstrumented
from patience import until

SMOKE = bpf.object_path("smoke")
GETPID = {"x86_64": 39, "aarch64": 172}[platform.machine()]
ONLY = struct.pack("=I", 0)

pytestmark = pytest.mark.usefixtures("bpf")


def identifiers(kind: str, names: set[str]) -> set[int]:
    """The ids of programs or maps of these names: other tools may load and unload theirs meanwhile."""
    command = ["/usr/sbin/bpftool", "--json", kind, "show"]
    found = json.loads(uninstrumented(command))
    return {one["id"] for one in found if one.get("name") in names}


def in_kernel() -> tuple[set[int], set[int]]:
    return identifiers("prog", {"count_calls"}), identifiers("map", {"hits", "smoke.rodata"})


def opened(pid: int) -> BpfObject:
    """The smoke probe, told to count getpid of a process."""
    found = BpfObject(SMOKE, name="smoke")
    found.set_constant("watched_pid", struct.pack("=I", pid))
    found.set_constant("watched_call", struct.pack("=q", GETPID))
    return found


def counted(found: BpfObject) -> int:
    value = found.read_map("hits", ONLY)
    assert value is not None
    return int.from_bytes(value, "little")


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Holds that the kernel has, a moment after the test, no program or map that is new."""
    before = in_kernel()
    yield
    until(lambda: not any(now - old for now, old in zip(in_kernel(), before, strict=True)))


def test_every_call_of_the_watched_process_is_counted(nothing_left: None) -> None:
    with Holder() as watched, Holder() as other, opened(watched.pid) as found:
        found.load()
        found.attach("count_calls")
        assert counted(found) == 0
        watched.tell("getpid 997")
        other.tell("getpid 331")
        assert counted(found) == 997


def test_nothing_is_counted_before_it_is_attached_or_after_close() -> None:
    with Holder() as watched:
        with opened(watched.pid) as found:
            found.load()
            watched.tell("getpid 10")
            assert counted(found) == 0
            before = in_kernel()
            found.attach("count_calls")
        assert len(in_kernel()[0]) <= len(before[0])


def test_a_process_is_known_by_its_pid_in_our_namespace() -> None:
    with Holder() as watched, opened(watched.pid) as found:
        namespace = Path("/proc/self/ns/pid").stat()
        found.set_constant("namespace_device", struct.pack("=Q", namespace.st_dev))
        found.set_constant("namespace_inode", struct.pack("=Q", namespace.st_ino))
        found.load()
        found.attach("count_calls")
        watched.tell("getpid 13")
        assert counted(found) == 13


def test_it_says_what_it_has() -> None:
    with BpfObject(SMOKE, name="smoke") as found:
        assert found.programs == ("count_calls",)
        assert found.maps == ("hits", "smoke.rodata")


def test_it_opens_bytes_as_well_as_files() -> None:
    for source in (SMOKE, str(SMOKE), SMOKE.read_bytes(), memoryview(bytearray(SMOKE.read_bytes()))):
        with BpfObject(source) as found:
            assert found.programs == ("count_calls",)


def test_forgetting_an_object_takes_everything_out_of_the_kernel(nothing_left: None) -> None:
    found = opened(os.getpid())
    found.load()
    found.attach("count_calls")
    del found
    gc.collect()


def test_an_object_that_is_not_closed_dies_with_its_process(nothing_left: None) -> None:
    child = os.fork()
    if child == 0:
        found = opened(1)
        found.load()
        found.attach("count_calls")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x7fELF" + bytes(100)])
def test_what_is_no_bpf_object(junk: bytes) -> None:
    with pytest.raises(BpfError, match="cannot open junk: ") as caught:
        BpfObject(junk, name="junk")
    assert bool(caught.value.log) == bool(junk)
    assert all(line.startswith("libbpf: ") for line in caught.value.log)


def test_no_part_of_an_object_opens_by_half(nothing_left: None) -> None:
    whole = SMOKE.read_bytes()
    for size in range(0, len(whole), 61):
        with pytest.raises(BpfError):
            BpfObject(whole[:size]).load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BpfError, match=r"cannot open \S*/none.bpf.o: No such file") as caught:
        BpfObject(tmp_path / "none.bpf.o")
    assert caught.value.errno == errno.ENOENT


def test_a_program_that_the_verifier_refuses_brings_its_verdict(capfd: pytest.CaptureFixture[str]) -> None:
    found = BpfObject(_without_exit(SMOKE.read_bytes()))
    with found, pytest.raises(BpfError, match="cannot load memprobe: ") as caught:
        found.load()
    log = "\n".join(caught.value.log)
    assert "BEGIN PROG LOAD LOG" in log
    assert "failed to load object" in log
    assert capfd.readouterr() == ("", ""), "libbpf itself prints nothing"


def _without_exit(content: bytes) -> bytes:
    """The object with its exit instruction made a jump back to the start: a loop without an end."""
    exit_, back = struct.pack("<BBhi", 0x95, 0, 0, 0), struct.pack("<BBhi", 0x05, 0, -2, 0)
    assert content.count(exit_) == 1
    return content.replace(exit_, back)


def test_without_rights_the_kernel_says_no() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has rights to lose")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        content = SMOKE.read_bytes()
        os.setuid(65534)
        try:
            BpfObject(content).load()
        except BpfError as error:
            os.write(write_end, f"{error.errno} {error}".encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    said = os.read(read_end, 300).decode()
    os.close(read_end)
    assert said == f"{errno.EPERM} [Errno {errno.EPERM}] cannot load memprobe: Operation not permitted"


class TestOrder:
    """What is asked for at the wrong moment, or by a name that is not there."""

    def test_names_that_are_not_there(self) -> None:
        with BpfObject(SMOKE) as found:
            with pytest.raises(KeyError, match="no constant nothing"):
                found.set_constant("nothing", bytes(4))
            found.load()
            with pytest.raises(KeyError, match="no program nothing"):
                found.attach("nothing")
            with pytest.raises(KeyError, match="no map nothing"):
                found.read_map("nothing", ONLY)

    @pytest.mark.parametrize("size", [0, 1, 3, 5, 8, 100])
    def test_values_of_the_wrong_size(self, size: int) -> None:
        with BpfObject(SMOKE) as found:
            with pytest.raises(ValueError, match="watched_pid has 4 bytes"):
                found.set_constant("watched_pid", bytes(size))
            found.load()
            with pytest.raises(ValueError, match="a key of hits has 4 bytes"):
                found.read_map("hits", bytes(size))

    def test_a_key_that_the_map_does_not_have(self) -> None:
        with BpfObject(SMOKE) as found:
            found.load()
            assert found.read_map("hits", struct.pack("=I", 1)) is None

    def test_before_load(self) -> None:
        with BpfObject(SMOKE) as found:
            with pytest.raises(ValueError, match="load"):
                found.attach("count_calls")
            with pytest.raises(ValueError, match="load"):
                found.read_map("hits", ONLY)

    def test_after_load(self) -> None:
        with BpfObject(SMOKE) as found:
            found.load()
            with pytest.raises(ValueError, match="loaded already"):
                found.load()
            with pytest.raises(ValueError, match="cannot be set"):
                found.set_constant("watched_pid", bytes(4))
            with pytest.raises(ValueError, match="open already"):
                found.__init__(SMOKE)

    def test_after_close(self) -> None:
        found = BpfObject(SMOKE)
        found.close()
        found.close()
        for use in (found.load, lambda: found.attach("x"), lambda: found.programs, lambda: found.maps):
            with pytest.raises(ValueError, match="closed"):
                use()

    def test_an_object_that_was_never_opened(self) -> None:
        found = BpfObject.__new__(BpfObject)
        with pytest.raises(ValueError, match="closed"):
            found.load()

    def test_arguments_of_the_wrong_type(self) -> None:
        with pytest.raises(TypeError):
            BpfObject(17)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            BpfObject(SMOKE, "positional")  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="null"):
            BpfObject("a\0b")


def test_two_threads_do_not_meet_in_one_object() -> None:
    refused: list[Exception] = []

    def use(found: BpfObject) -> None:
        for _ in range(2000):
            try:
                found.read_map("hits", ONLY)
            except RuntimeError as error:
                refused.append(error)

    with BpfObject(SMOKE) as found:
        found.load()
        threads = [threading.Thread(target=use, args=(found,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counted(found) == 0
    assert all("another thread" in str(error) for error in refused)


def test_opening_again_and_again_leaves_no_descriptor() -> None:
    def use() -> int:
        for _ in range(30):
            with BpfObject(SMOKE) as found:
                found.load()
                found.attach("count_calls")
            with pytest.raises(BpfError):
                BpfObject(b"junk")
        return len(os.listdir("/proc/self/fd"))

    assert use() == use()


def test_probes_may_use_helpers_of_the_kernel() -> None:
    # "MIT" alone would lose bpf_probe_read_user and its like; each probe has to say both.
    for path in SMOKE.parent.glob("*.bpf.o"):
        assert b"Dual MIT/GPL\0" in path.read_bytes(), path.name
