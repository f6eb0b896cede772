"""SIGKILL at random moments: the target lives on as before, and the kernel keeps nothing.

The short form of tests/soak/soak_kill.py, which also shows that the target is as fast as before.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from kernel_source.killing import (
    LIFE,
    Killed,
    changed_code,
    killed_at_random,
    start_s,
    trap_lines,
)
from native.uninstrumented import uninstrumented
from pythons import own
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

KILLS, HELD = 10, 3
"""Of so many, so many have had something in the kernel; or there are more: it depends on who has the CPU."""


def listed_by_bpftool() -> list[tuple[str, int, list[int]]]:
    """Everything of BPF on the machine: kind, id, and who holds it."""
    found: list[tuple[str, int, list[int]]] = []
    for kind, name in (("prog", "prog_id"), ("map", "map_id"), ("link", "link_id")):
        rows = json.loads(uninstrumented(["/usr/sbin/bpftool", "--json", kind, "show"]) or "[]")
        found += [
            (name, int(one["id"]), [int(owner["pid"]) for owner in one.get("pids", ())]) for one in rows
        ]
    return found


def test_nothing_is_left(targets: Path) -> None:
    chance, lives = random.Random(4), list[Killed]()
    with own().spawn(targets / "working.py") as target:
        mappings = "[uprobes]" in Path(f"/proc/{target.pid}/maps").read_text()
        life_s = 0.0
        while len(lives) <= KILLS or sum(bool(life.held) for life in lives) < HELD:
            if len(lives) % KILLS == 0:
                life_s, one = start_s(target)
            else:
                one = killed_at_random(target, chance, LIFE * life_s)
            lives.append(one)
            assert changed_code(target.pid) == []
        held = {one for life in lives for one in life.held}
        pids = {life.pid for life in lives}
        for kind, number, owners in listed_by_bpftool():
            assert (kind, number) not in held
            assert not pids & set(owners)
        assert trap_lines(target.pid) == []
        assert ("[uprobes]" in Path(f"/proc/{target.pid}/maps").read_text()) == mappings
        assert int(target.ask("1")) > 0, "it lives on"
