"""Sockets in every state: family, state, queues and peer are what the target knows of itself."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from memprobe.errors import NotPermitted
from memprobe.sources.procfs import networks
from memprobe.sources.procfs.sock_diag import dump_internet, open_diagnosis
from memprobe.target.proc.network_namespace import open_in_network_of
from memprobe.target.proc.process import open_process
from pythons import Target
from sources.procfs.watching import OWN_NETWORK, Shown, links_ns, picture, shown
from target.looking import CAP_SYS_ADMIN, drop_capabilities, in_a_child, needs_root, running

pytestmark = needs_root


@pytest.fixture
def states(targets: Path, tmp_path: Path) -> Iterator[Target]:
    command = (*OWN_NETWORK, sys.executable, targets / "socket_states.py", tmp_path / "named")
    with running(*command) as target:
        yield target


def differences(target: Target, found: dict[int, Shown]) -> list[object]:
    """What the picture says otherwise than the target; None in the truth is a number the kernel chooses."""
    wrong: list[object] = []
    for descriptor, family, state, received, sent in json.loads(target.ready):
        one = found[descriptor]
        said = (
            family,
            state,
            one.received if received is None else received,
            one.sent if sent is None else sent,
        )
        if (one.family, one.state, one.received, one.sent) != said:
            wrong.append((descriptor, said, one))
    return wrong


def test_every_state_in_the_network_of_the_target(states: Target) -> None:
    found = shown(picture(states.pid).handles)
    assert differences(states, found) == []
    assert Counter(one.state for one in found.values())["CLOSE_WAIT"] == 2
    datagrams = [one for one in found.values() if one.text.startswith("udp ")]
    assert all(one.received >= 100 for one in datagrams)
    assert len(datagrams) == 2


def test_texts(states: Target, tmp_path: Path) -> None:
    texts = [one.text for one in shown(picture(states.pid).handles).values()]
    listening = next(text for text in texts if text.startswith("tcp 127.0.0.1:") and "->" not in text)
    port = listening.rpartition(":")[2]
    assert f"unix {tmp_path}/named" in texts
    assert f"unix -> {tmp_path}/named" in texts
    assert texts.count("unix, the other end has closed") == 1
    assert texts.count("unix, not accepted yet") == 1
    # A name is whatever the target likes; views make it harmless.
    assert "unix @hidden \x1b[31m\udcff" in texts
    assert sum(text.startswith(f"tcp 127.0.0.1:{port} -> ") for text in texts) == 1
    assert sum(text.endswith(f" -> 127.0.0.1:{port}") for text in texts) == 1
    assert sum(text.startswith("tcp [::1]:") for text in texts) == 6
    assert {"netlink route", "packet", "raw 0.0.0.0:1"} <= set(texts)


def test_pairs_name_each_other(states: Target) -> None:
    found = shown(picture(states.pid).handles).values()
    peers = {one.inode: one.text for one in found if one.text.startswith("unix -> socket:")}
    assert len(peers) == 2
    assert {f"unix -> socket:[{inode}]" for inode in peers} == set(peers.values())


def test_the_same_from_the_tables_of_proc(states: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise NotPermitted("no")

    by_diag = shown(picture(states.pid).handles)
    monkeypatch.setattr(networks, "open_in_network_of", refused)
    by_proc = shown(picture(states.pid).handles)
    for descriptor, one in by_diag.items():
        other = by_proc[descriptor]
        assert (other.kind, other.family, other.state) == (one.kind, one.family, one.state)
        if other.family != socket.AF_UNIX:  # there are no queues in /proc/net/unix
            assert (other.received, other.sent, other.text) == (one.received, one.sent, one.text)


def test_a_network_that_may_not_be_entered(states: Target) -> None:
    """Without CAP_SYS_ADMIN the tables of /proc are read instead."""

    def look() -> list[object]:
        drop_capabilities(CAP_SYS_ADMIN)
        refused = pytest.raises(NotPermitted, match="cannot be entered")
        with open_process(states.pid) as process, refused:
            open_in_network_of(process, open_diagnosis)
        found = shown(picture(states.pid).handles)
        return [one.state for one in found.values() if one.text.startswith("tcp 127")]

    assert Counter(in_a_child(look))["CLOSE_WAIT"] == 1


def test_the_callers_own_network_stays(states: Target) -> None:
    before = Path("/proc/thread-self/ns/net").stat().st_ino
    with open_process(states.pid) as process, open_in_network_of(process, open_diagnosis) as diagnosis:
        table = dump_internet(diagnosis, socket.AF_INET, socket.IPPROTO_TCP, time.monotonic_ns() + 10**12)
    assert len(table.rows) > 5
    assert Path("/proc/thread-self/ns/net").stat().st_ino == before


def test_a_protocol_that_the_kernel_does_not_know() -> None:
    with open_diagnosis() as diagnosis, pytest.raises(OSError, match="No such file"):
        dump_internet(diagnosis, socket.AF_INET, 200, time.monotonic_ns() + 10**12)


def test_many_close_waits_are_counted_and_quick(targets: Path) -> None:
    command = (*OWN_NETWORK, sys.executable, targets / "close_waits.py", "3000")
    with running(*command) as target:
        one, unit_ns = picture(target.pid), max(links_ns(target.pid), links_ns(target.pid))
    found = shown(one.handles)
    assert Counter(each.state for each in found.values())["CLOSE_WAIT"] == 3000
    assert len({each.text for each in found.values() if each.state == "CLOSE_WAIT"}) == 3000
    # CPU time, some 20 us each.
    assert one.cost_ns < 30 * unit_ns


def test_a_dump_that_is_cut_says_so(targets: Path) -> None:
    with (
        running(*OWN_NETWORK, sys.executable, targets / "close_waits.py", "6000") as target,
        open_process(target.pid) as process,
        open_in_network_of(process, open_diagnosis) as diagnosis,
    ):
        table = dump_internet(diagnosis, socket.AF_INET, socket.IPPROTO_TCP, 0)
    assert table.cut
    assert 0 < len(table.rows) <= 12_001
