from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from memprobe import errors
from memprobe.target.proc.mappings import Mapping, find, parse_mappings, read_mappings
from memprobe.target.proc.process import open_process
from target.looking import WAIT, running


def test_equals_what_the_kernel_says() -> None:
    with running(sys.executable, "-c", WAIT) as target, open_process(target.pid) as process:
        lines = Path(f"/proc/{target.pid}/maps").read_text().splitlines()
        mappings = read_mappings(process)
        assert [line_of(mapping) for mapping in mappings] == [" ".join(line.split(None, 5)) for line in lines]


def line_of(mapping: Mapping) -> str:
    device = f"{os.major(mapping.device):02x}:{os.minor(mapping.device):02x}"
    numbers = f"{mapping.start:08x}-{mapping.end:08x} {mapping.permissions} {mapping.offset:08x}"
    return f"{numbers} {device} {mapping.inode} {mapping.path}".rstrip()


def test_the_device_is_that_of_stat(tmp_path: Path) -> None:
    file = tmp_path / "with blank\nand newline"
    file.write_bytes(bytes(4096))
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ),
        open_process(os.getpid()) as process,
    ):
        (found,) = [mapping for mapping in read_mappings(process) if mapping.path == str(file)]
        assert (found.device, found.inode) == (file.stat().st_dev, file.stat().st_ino)
        assert (found.size, found.permissions, found.is_deleted) == (4096, "r--s", False)
        file.unlink()
        (found,) = [mapping for mapping in read_mappings(process) if mapping.file_path == str(file)]
        assert found.is_deleted
        assert found.file_name == "with blank\nand newline"


def test_find() -> None:
    mappings = parse_mappings(
        b"1000-2000 r--p 0 00:00 0 a\n2000-3000 rw-p 0 00:00 0 b\n5000-6000 r-xp 0 00:00 0 c\n"
    )
    places = {
        0xFFF: "",
        0x1000: "a",
        0x1FFF: "a",
        0x2000: "b",
        0x3000: "",
        0x5FFF: "c",
        0x6000: "",
        1 << 70: "",
    }
    for address, name in places.items():
        found = find(mappings, address)
        assert (found.path if found else "") == name
    assert find((), 0) is None


def test_lines_that_make_no_sense_are_left_out() -> None:
    raw = b"1000-2000 r--p 0 00:00 0 ok\nzz-2000 r--p 0 00:00 0\n1000-2000 r--p\n\n3000-4000 r--p 0 0 0"
    assert [mapping.path for mapping in parse_mappings(raw)] == ["ok"]


def test_ended_process_has_no_mappings() -> None:
    with running(sys.executable, "-c", WAIT) as target, open_process(target.pid) as process:
        target.kill()
        with pytest.raises(errors.TargetExited):
            read_mappings(process)
