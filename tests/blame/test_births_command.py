"""`memprobe blame --object-births` as a user calls it, and what is left after SIGKILL."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import pythons
from cli.running import COMMAND, complaint, document, run
from kernel_source.kernel_state import gone_after_s, ids_of
from kernel_source.killing import changed_code
from patience import until
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

KILLS = 2


def test_the_document(targets: Path) -> None:
    with pythons.own().spawn(targets / "surviving.py") as target:
        # Longer, where that is too short for a survivor: it depends on who else wants the CPU.
        tries = (births_of_nodes(target.pid, seconds) for seconds in (13, 26, 52, 104))
        shown = next(one for one in tries if one["births"] and one["overhead"]["target_slowdown_pct"] < 8)
        page = run("blame", target.pid, "--object-births", "no.such.*", "--duration", 1)
    assert shown["schema"] == "memprobe.births/1"
    assert shown["evidence"]["births_traced"] > 0
    assert {one["type"] for one in shown["births"]} == {"__main__.Node"}
    assert shown["births"][0]["site"][0]["function"] == "surviving"
    assert shown["overhead"]["target_slowdown_pct"] > 0
    assert "nothing of no.such.* that was born" in page.stdout


def births_of_nodes(pid: int, seconds: int) -> dict[str, Any]:
    return document("blame", pid, "--object-births", "Node", "--duration", seconds, "--max-overhead", 5)


def test_what_cannot_be_asked(targets: Path) -> None:
    with pythons.own().spawn(targets / "surviving.py") as target:
        both = run("blame", target.pid, "__main__.KEPT", "--object-births", "Node")
        nothing = run("blame", target.pid)
        unheld = run("blame", target.pid, "--references", "NoSuchType")
    for refused in (both, nothing):
        assert "name one of HOLDER" in complaint(refused, 2)
    assert "no object of type 'NoSuchType'" in complaint(unheld, 2)


def test_nothing_is_left_after_sigkill(targets: Path) -> None:
    chance = random.Random(6)
    with pythons.own().spawn(targets / "surviving.py") as target:
        for _ in range(KILLS):
            command = [*COMMAND, "blame", str(target.pid), "--object-births", "*", "--max-overhead", "50"]
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
            until(lambda pid=process.pid: any(kind == "prog_id" for kind, _ in ids_of(pid)))  # type: ignore[misc]
            time.sleep(chance.uniform(0.5, 2.5))
            held = ids_of(process.pid)
            process.kill()
            assert process.wait() == -signal.SIGKILL
            gone_after_s(held)
            # The child that traces a burst ends it by itself, a little after the kill.
            until(lambda: not changed_code(target.pid))
        before = int(target.ask("?"))
        until(lambda: int(target.ask("?")) > before)  # the target lives on
        assert "[uprobes]" not in Path(f"/proc/{target.pid}/maps").read_text()
