"""SIGKILL at random moments: the target lives on as before, and the kernel keeps nothing.

The short form of tests/soak/soak_kill.py.
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
    cost_ratio,
    killed_at_random,
    start_s,
    stays_below,
    trap_lines,
)
from native.uninstrumented import uninstrumented
from pythons import own
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

KILLS = 10
SLOWER_ALLOWED = 1.10
"""One trap that stayed on what this target does would be more; so would tracepoints with programs."""


def listed_by_bpftool() -> list[tuple[str, int, list[int]]]:
    """Everything of BPF on the machine: kind, id, and who holds it."""
    found: list[tuple[str, int, list[int]]] = []
    for kind, name in (("prog", "prog_id"), ("map", "map_id"), ("link", "link_id")):
        rows = json.loads(uninstrumented(["/usr/sbin/bpftool", "--json", kind, "show"]) or "[]")
        found += [
            (name, int(one["id"]), [int(owner["pid"]) for owner in one.get("pids", ())]) for one in rows
        ]
    return found


def test_nothing_is_left_and_nothing_is_slower(targets: Path) -> None:
    chance, lives = random.Random(4), list[Killed]()
    with own().spawn(targets / "working.py") as target, own().spawn(targets / "working.py") as control:
        before = cost_ratio(target, control)
        mappings = "[uprobes]" in Path(f"/proc/{target.pid}/maps").read_text()
        life_s, first = start_s(target)
        lives.append(first)
        for _ in range(KILLS):
            lives.append(killed_at_random(target, chance, LIFE * life_s))
            assert changed_code(target.pid) == []
        assert sum(bool(life.held) for life in lives) >= 3, "some had something in the kernel"
        held = {one for life in lives for one in life.held}
        pids = {life.pid for life in lives}
        for kind, number, owners in listed_by_bpftool():
            assert (kind, number) not in held
            assert not pids & set(owners)
        assert trap_lines(target.pid) == []
        assert ("[uprobes]" in Path(f"/proc/{target.pid}/maps").read_text()) == mappings
        assert stays_below(SLOWER_ALLOWED, target, control, before) < SLOWER_ALLOWED
