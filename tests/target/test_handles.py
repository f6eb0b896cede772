from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from memprobe import errors
from memprobe.target.proc.handles import KINDS, handle_kind, read_handles, read_limit
from memprobe.target.proc.process import open_process
from memprobe.target.proc.sockets import endpoint, parse_row
from target.looking import WAIT, as_nobody, needs_root, running

OPENS = """
import ctypes, json, os, pty, select, socket, sys, tempfile
libc = ctypes.CDLL(None)
kept = [tempfile.TemporaryFile() for _ in range(5)] + [os.open("/tmp", os.O_RDONLY)]
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
udp.bind(("127.0.0.1", 0))
netlink.bind((0, 0))
kept += [socket.socketpair(), server, client, server.accept()[0], udp, netlink]
kept += [os.pipe(), os.pipe(), select.epoll(), pty.openpty()]
kept += [os.memfd_create("mine"), os.pidfd_open(os.getpid())]
truth = {"file": 6, "socket": 7, "pipe": 4, "epoll": 1, "tty": 2, "memfd": 1, "pidfd": 1}
calls = {
    "eventfd": lambda: libc.eventfd(0, 0),
    "timerfd": lambda: libc.timerfd_create(1, 0),
    "signalfd": lambda: libc.signalfd(-1, bytes(128), 0),
    "inotify": lambda: libc.inotify_init(),
    "io_uring": lambda: libc.syscall(425, 2, bytes(256)),
    "other": lambda: os.open("/proc/self/ns/mnt", os.O_RDONLY),
}
for kind, call in calls.items():
    truth[kind] = int(call() >= 0)
print("ready", json.dumps(truth), flush=True)
input()
"""


def test_every_kind_is_counted() -> None:
    with running(sys.executable, "-c", OPENS) as target, open_process(target.pid) as process:
        truth = {kind: count for kind, count in json.loads(target.ready).items() if count}
        handles = read_handles(process)
        # Standard input and output are pipes, standard error a file.
        truth["pipe"] += 2
        truth["file"] += 1
        assert {kind.kind: kind.open for kind in handles.kinds} == truth
        assert set(truth) <= set(KINDS)
        assert handles.open == sum(truth.values()) == len(os.listdir(f"/proc/{target.pid}/fd"))
        assert handles.unread == 0
        sockets = next(kind for kind in handles.kinds if kind.kind == "socket")
        assert dict(sockets.families) == {
            "tcp ESTABLISHED": 2,
            "tcp LISTEN": 1,
            "udp": 1,
            "unix": 2,
            "netlink": 1,
        }
        assert all(1 <= len(kind.examples) <= 3 for kind in handles.kinds)


def test_the_limit_is_that_of_the_target() -> None:
    limited = ("prlimit", "--nofile=123:456", sys.executable, "-c", WAIT)
    with running(*limited) as target, open_process(target.pid) as process:
        assert read_handles(process).limit == 123
        assert read_limit(process, "Max cpu time") is None
        assert read_limit(process, "Max nonsense") is None


LINKS = {
    "/etc/passwd": "file",
    "/tmp/gone (deleted)": "file",
    "/dev/null": "file",
    "/dev/pts/0": "tty",
    "/dev/tty1": "tty",
    "/memfd:x (deleted)": "memfd",
    "socket:[12]": "socket",
    "pipe:[12]": "pipe",
    "anon_inode:[eventpoll]": "epoll",
    "anon_inode:[eventfd]": "eventfd",
    "anon_inode:inotify": "inotify",
    "anon_inode:[pidfd]": "pidfd",
    "pidfd:[12]": "pidfd",
    "anon_inode:[io_uring]": "io_uring",
    "anon_inode:bpf-map": "other",
    "anon_inode:[perf_event]": "other",
    "mnt:[4026531841]": "other",
    "": "other",
}


@pytest.mark.parametrize("link", LINKS)
def test_kind_of_a_link(link: str) -> None:
    assert handle_kind(link) == LINKS[link]


def test_sockets_of_another_network_namespace() -> None:
    """Its tables are read, not ours."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    code = f"import socket; s = socket.socket(); s.bind(('0.0.0.0', 7)); s.listen(); {WAIT}"
    with (
        running("unshare", "--net", sys.executable, "-c", code) as target,
        open_process(target.pid) as process,
    ):
        sockets = next(kind for kind in read_handles(process).kinds if kind.kind == "socket")
        assert sockets.examples == ("tcp 0.0.0.0:7 LISTEN",)


def test_endpoints() -> None:
    assert endpoint("0100007F:1F90") == "127.0.0.1:8080"
    assert endpoint("00000000000000000000000001000000:0016") == "[::1]:22"
    for broken in (":", "0100007F", "xyz:1"):
        with pytest.raises(ValueError, match=r"."):
            parse_row("tcp", f"0: {broken} {broken} 01 0:0 0:0 0 0 0 1")


def test_unix_sockets_by_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "a b"))
        listening.listen()
        inode = os.fstat(listening.fileno()).st_ino
        rows = Path("/proc/net/unix").read_text().splitlines()[1:]
        parsed = dict(parse_row("unix", row) for row in rows)
        assert parsed[inode].text == f"unix {tmp_path}/a b"


@needs_root
def test_foreign_process_without_rights() -> None:
    with running(sys.executable, "-c", WAIT) as target:
        pid = target.pid

        def look() -> object:
            with open_process(pid) as process:
                return read_handles(process)

        with pytest.raises(errors.NotPermitted):
            as_nobody(look)


def test_many_handles_are_counted_and_not_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memprobe.target.proc.handles.LINKS_LIMIT", 2)
    with running(sys.executable, "-c", WAIT) as target, open_process(target.pid) as process:
        handles = read_handles(process)
        assert (handles.open, handles.unread) == (3, 1)
        assert sum(kind.open for kind in handles.kinds) == 2
