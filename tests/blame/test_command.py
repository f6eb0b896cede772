"""`memprobe blame`, `attach` and what other tools with watchpoints see of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import pythons
from cli.running import COMMAND, complaint, document, run
from kernel_source.kernel_state import gone_after_s, ids_of
from memprobe.native.bpf import BpfError, BpfObject, object_path
from patience import PATIENCE_S, TRIES, until
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

PACE = "0.05"
"""Between two rounds of 100 entries."""


def lines_of(container: dict[str, object]) -> dict[str, float]:
    lines = container["lines"]
    assert isinstance(lines, list)
    return {one["site"][0]["function"]: one["added_per_s"] for one in lines}


@pytest.mark.few_interpreters
def test_the_lines_of_a_busy_list(interpreter: pythons.Interpreter, targets: Path) -> None:
    """As fast as it can: shares are right, and it is said how little of the time was seen."""
    arguments = ("__main__.KEPT", "--duration", 8, "--max-overhead", 10)
    with interpreter.spawn(targets / "filling_fast.py") as target:
        # Chance decides what is seen, and the fewer looks a busy machine has time for, the more.
        shown = (document("blame", target.pid, *arguments) for _ in range(TRIES))
        container = next((one for seen in shown for one in seen["containers"] if is_shared_out(one)), None)
    assert container is not None
    assert container["seen_s"] < container["watched_s"]


def is_shared_out(container: dict[str, Any]) -> bool:
    """Whether each line has about its share, the largest first."""
    rates = lines_of(container)
    total = sum(rates.values())
    truth = (("often", 0.6), ("sometimes", 0.3), ("seldom", 0.1))
    are_near = all(abs(rates.get(function, 0.0) / total - share) < 0.2 for function, share in truth)
    return next(iter(rates), "") == "often" and are_near


def test_holders_by_type_and_address_and_none(targets: Path) -> None:
    with pythons.own().spawn(targets / "filling_fast.py", PACE) as target:
        by_path = document("blame", target.pid, "*.KEPT", "--duration", "1.5")
        assert by_path["schema"] == "memprobe.blame/1"
        address = by_path["containers"][0]["address"]
        by_address = document("blame", target.pid, address, "--duration", 1)
        unknown = run("blame", target.pid, "no.such.thing", "--duration", 1)
        page = run("blame", target.pid, "__main__.KEPT", "--duration", "1.5")
    assert by_path["containers"][0]["holder"] == by_address["containers"][0]["holder"] == "__main__.KEPT"
    assert by_path["containers"][0]["hits"] > 0
    assert "no container that is called 'no.such.thing'" in complaint(unknown, 2)
    assert page.returncode == 0
    assert "__main__.KEPT" in page.stdout


def test_what_is_no_target() -> None:
    assert "is not a pid" in complaint(run("blame", "nobody", "x"), 2)
    assert complaint(run("blame", 4_000_000, "x"), 4)


def test_nothing_stays_armed_after_kill(targets: Path) -> None:
    """A fresh set of four registers is free again; else a fifth holder would be refused."""
    with pythons.own().spawn(targets / "filling_fast.py", PACE) as target:
        blaming = subprocess.Popen(
            [*COMMAND, "blame", str(target.pid), "__main__.KEPT"], stdout=subprocess.DEVNULL
        )
        until(lambda: breakpoints_of(blaming.pid))
        held = ids_of(blaming.pid)
        os.kill(blaming.pid, signal.SIGKILL)
        blaming.wait()
        assert held
        gone_after_s(held)
        with four_registers(target.pid) as free:
            assert free == 4


def test_registers_that_others_have_are_left_to_them(targets: Path) -> None:
    with (
        pythons.own().spawn(targets / "filling_fast.py", PACE) as target,
        four_registers(target.pid) as taken,
    ):
        assert taken == 4
        shown = document("blame", target.pid, "__main__.KEPT", "--duration", 2)
    (said,) = (
        one for one in shown["evidence"]["invisible"] if "debug registers of the process are taken" in one
    )
    assert "seen in bursts only" in said
    assert shown["containers"][0]["seen_s"] > 0


@pytest.mark.skipif(not os.environ.get("CI") and shutil.which("gdb") is None, reason="no gdb: make setup")
def test_gdb_with_a_watchpoint_goes_on(targets: Path) -> None:
    """gdb watches the same word meanwhile, and sees it change."""
    with pythons.own().spawn(targets / "filling_fast.py", PACE) as target:
        address = document("blame", target.pid, "__main__.KEPT", "--duration", "0.5")["containers"][0][
            "address"
        ]
        blaming = subprocess.Popen(
            [*COMMAND, "blame", str(target.pid), "__main__.KEPT", "--json"],
            stdout=subprocess.PIPE,
        )
        until(lambda: breakpoints_of(blaming.pid))
        word = f"*(long *)({address} + 16)"
        seen = subprocess.run(
            [
                "gdb",
                "-batch",
                "-nx",
                "-p",
                str(target.pid),
                "-ex",
                f"watch {word}",
                "-ex",
                "continue",
                "-ex",
                "delete",
            ],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
        done = rounds_of(target)
        until(lambda: rounds_of(target) > done + 20)
        blaming.send_signal(signal.SIGINT)
        found, _ = blaming.communicate(timeout=PATIENCE_S)
    assert "Hardware watchpoint" in seen.stdout
    assert "Old value" in seen.stdout
    assert json.loads(found)["containers"][0]["hits"] > 0


def test_attach_names_the_line_and_a_recording_does_too(targets: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.mprobe"
    with pythons.own().spawn(targets / "filling_fast.py", PACE) as target:
        shown = document("attach", target.pid, "--duration", 22, "--no-learn", "--record", str(file))
    again = document("report", str(file))
    (found,) = (one for one in shown["findings"] if one["holder"] == "__main__.KEPT")
    assert found["site"][0]["function"] == "often"
    assert any("adds" in sentence and "net +" in sentence for sentence in found["evidence"])
    assert not any("not known" in sentence for sentence in found["limits"])
    assert again["findings"] == shown["findings"]


def rounds_of(target: pythons.Target) -> int:
    """How often it has added 100 entries."""
    return int(target.ask("?").split()[0]) // 100


def breakpoints_of(pid: int) -> int:
    """How many perf events a process has open."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
        return sum("perf_event" in os.readlink(f"/proc/{pid}/fd/{name}") for name in names)
    except OSError:
        return 0


@contextmanager
def four_registers(pid: int) -> Iterator[int]:
    """Take all debug registers of a process that are free, as another tool would; how many that are."""
    with BpfObject(object_path("watch")) as made:
        made.load()
        yield sum(_takes(made, 0x1000 + 8 * number, pid) for number in range(4))


def _takes(made: BpfObject, address: int, pid: int) -> bool:
    try:
        for tid in map(int, os.listdir(f"/proc/{pid}/task")):
            made.attach_watchpoint("word_changed", address=address, tid=tid)
    except BpfError:
        return False
    return True
