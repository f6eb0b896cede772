"""Pictures of descriptors: they equal what the target says of itself, in bounded time."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from memprobe.errors import TargetGone
from memprobe.sources.procfs.links import TEXT_LIMIT, inode_in, kind_of, shortened
from memprobe.sources.procfs.mounts import LOCAL, LocalMounts
from memprobe.target.proc.procfs import ProcFolder
from memprobe.vocab.kinds import HandleKind
from pythons import Interpreter
from sources.procfs.watching import LIMIT_NS, links_ns, picture, pictures_of, shown
from target.looking import running

KINDS = set(HandleKind.__members__) - {"UNKNOWN"}


def test_a_picture_equals_what_the_target_says(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "every_handle.py") as target:
        truth = {int(name): said for name, said in json.loads(target.ask("tell")).items()}
        before_ns = time.monotonic_ns()
        handles = picture(target.pid).handles
        assert before_ns <= handles.begin_ns < handles.end_ns <= time.monotonic_ns()
    found = shown(handles)
    assert found.keys() == truth.keys()
    # A root of its own has no terminals.
    assert {one.kind.upper() for one in found.values()} == KINDS - ({"TTY"} if interpreter.root else set())
    for descriptor, (link, inode) in truth.items():
        one = found[descriptor]
        assert one.inode == inode
        if one.kind != "socket" and interpreter.root is None:
            assert one.text == link


def test_the_next_picture_shows_what_has_changed(targets: Path) -> None:
    with (
        running(sys.executable, targets / "many_files.py", "50") as target,
        pictures_of(target.pid) as pictures,
    ):
        first = shown(pictures.take(LIMIT_NS).handles)
        assert target.ask("40") == "done"
        second = shown(pictures.take(LIMIT_NS).handles)
    assert len(first) - len(second) == 10
    other = [descriptor for descriptor in second if first[descriptor].inode != second[descriptor].inode]
    assert len(other) == 40
    assert {second[descriptor].text for descriptor in other} == {"/etc/hostname"}


def test_files_have_their_size(targets: Path) -> None:
    with running(sys.executable, targets / "many_files.py", "3") as target:
        handles = picture(target.pid).handles
        with ProcFolder(target.pid) as folder:
            mounts = LocalMounts(folder)
            local = [number for number in range(2000) if number in mounts]
    rows, texts = handles.rows, handles.texts
    sizes = {int(row["size_bytes"]) for row, text in zip(rows, texts, strict=True) if text == "/etc/passwd"}
    assert sizes == {os.stat("/etc/passwd").st_size}
    assert not rows["size_bytes"][rows["kind"] != HandleKind.FILE].any()
    said = Path("/proc/self/mountinfo").read_text().splitlines()
    kinds = {int(line.split()[0]): line.partition(" - ")[2].split()[0] for line in said}
    assert local == sorted(number for number, kind in kinds.items() if kind in LOCAL)


def test_thousands_in_bounded_time(targets: Path) -> None:
    with (
        running(sys.executable, targets / "many_files.py", "18000") as target,
        pictures_of(target.pid) as pictures,
    ):
        first, again = pictures.take(LIMIT_NS), pictures.take(LIMIT_NS)
        unit_ns = max(links_ns(target.pid), links_ns(target.pid))
        listed = set(map(int, os.listdir(f"/proc/{target.pid}/fd")))
    assert set(map(int, first.handles.rows["descriptor"])) == listed
    assert first.unread == again.unread == 0
    assert (first.handles.rows["inode"] != 0).all()
    # CPU time, some 20 and 8 us each.
    assert first.cost_ns < 30 * unit_ns
    assert again.cost_ns < 15 * unit_ns


def test_a_picture_that_is_cut_is_whole_nevertheless(targets: Path) -> None:
    """Every descriptor is in it; the links come with the next pictures."""
    with (
        running(sys.executable, targets / "many_files.py", "2000") as target,
        pictures_of(target.pid) as pictures,
    ):
        first = pictures.take(0)
        assert len(first.handles.rows) == 2003
        assert first.unread == 2003 - 256
        unknown = [int((pictures.take(0).handles.rows["kind"] == HandleKind.UNKNOWN).sum()) for _ in range(8)]
        assert unknown == sorted(unknown, reverse=True)
        assert unknown[-1] == 0
        assert pictures.take(LIMIT_NS).unread == 0


def test_while_everything_opens_and_closes(targets: Path) -> None:
    with (
        running(sys.executable, targets / "churning_files.py") as target,
        pictures_of(target.pid) as pictures,
    ):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            found = shown(pictures.take(LIMIT_NS).handles)
            assert {0, 1, 2} <= found.keys()
            assert all(one.kind in ("file", "pipe", "socket") for one in found.values())
            assert all(one.text for one in found.values())


def test_a_process_on_its_way_out_has_no_picture(targets: Path) -> None:
    with (
        running(sys.executable, targets / "many_files.py", "10") as target,
        pictures_of(target.pid) as pictures,
    ):
        pictures.take(LIMIT_NS)
        target.process.kill()
        os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TargetGone):
            pictures.take(LIMIT_NS)


def test_links() -> None:
    assert inode_in("socket:[123]") == inode_in("pipe:[123]") == inode_in("mnt:[123]") == 123
    for text in ("/tmp/socket:[1]", "anon_inode:[eventfd]", "socket:[x]", "socket:[" + "9" * 40 + "]", ""):
        assert inode_in(text) == 0
    assert kind_of("anon_inode:[eventpoll]") == HandleKind.EPOLL
    assert kind_of(shortened("/memfd:" + "x" * 4000)) == HandleKind.MEMFD
    long = "/" + "a" * 4000 + "/name (deleted)"
    assert len(shortened(long)) == TEXT_LIMIT
    assert shortened(long).endswith("/name (deleted)")
    assert shortened("/short") == "/short"
