"""heap as a user calls it: what it says of a service that hoards, and of everything that cannot be read."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

import pythons
from cli.impostors import impostor
from cli.running import COMMAND, complaint, document, run
from cli.test_inspect import in_a_terminal
from cli.unprivileged import as_nobody, needs_root
from memprobe.errors import LayoutCheckFailed, NotPermitted, NotPython, TargetGone
from memprobe.heap.document import Heap
from memprobe.heap.look import look
from memprobe.heap.wishes import Wishes
from memprobe.target.inspection import opening
from patience import PATIENCE_S
from undisturbed import check_never_stopped

SESSIONS = 20_000
ANSI = re.compile(r"\x1b\[[0-9;]*[mK]")
TIMES = 150
ENDS = ("exit", "exec-sleep", "exec-python")


@pytest.fixture
def hoard(interpreter: pythons.Interpreter, targets: Path) -> Iterator[pythons.Target]:
    with interpreter.spawn(targets / "hoarding.py", str(SESSIONS)) as target:
        yield target


@pytest.fixture
def own_hoard(targets: Path) -> Iterator[pythons.Target]:
    with pythons.own().spawn(targets / "hoarding.py", str(SESSIONS)) as target:
        yield target


@contextmanager
def growing(target: pythons.Target, count: int) -> Iterator[None]:
    """Have the target add sessions all the time until the block ends."""
    ended = threading.Event()

    def grow() -> None:
        while not ended.wait(0.1):
            target.ask(f"grow {count}")

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def row(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    found = [one for one in rows if all(one[name] == value for name, value in wanted.items())]
    assert len(found) == 1, (wanted, rows[:10])
    return found[0]


class TestWhatItSays:
    """The answers, under every interpreter."""

    def test_what_how_much_and_who_holds_it(self, hoard: pythons.Target) -> None:
        seen = document("heap", hoard.pid)
        assert seen["schema"] == "memprobe.heap/1"
        assert seen["target"]["pid"] == hoard.pid
        assert seen["target"]["tier"] == 1
        sessions = row(seen["types"], type="__main__.Session")
        assert sessions["objects"] == sessions["tracked"] == SESSIONS
        assert seen["totals"]["objects"] == sum(one["objects"] for one in seen["types"])
        # It is exact at rest; but here the target wakes up to say so.
        assert abs(seen["totals"]["tracked"] - json.loads(hoard.ask("grow 0"))["tracked"]) < 20
        assert SESSIONS * 250 < seen["totals"]["allocated_bytes"] < 1.1 * seen["totals"]["rss_bytes"]
        holder = row(seen["holders"], path="__main__.SESSIONS")
        assert holder["length"] == SESSIONS
        assert holder["retained_bytes"] > SESSIONS * 300
        assert holder["objects"] >= 2 * SESSIONS
        assert holder["holds"][0]["type"] == "__main__.Session"
        assert holder["holds"][0]["objects"] == SESSIONS
        assert seen["garbage"] is None
        assert seen["frozen"] is None

    def test_who_holds_a_type(self, hoard: pythons.Target) -> None:
        for name in ("__main__.Session", "Session"):
            seen = document("heap", hoard.pid, "--type", name)
            assert [one["type"] for one in seen["types"]] == ["__main__.Session"]
            assert seen["holders"][0]["path"] == "__main__.SESSIONS"
            assert seen["holders"][0]["objects"] == SESSIONS
        assert sum(one["references"] for one in seen["referrers"]) >= SESSIONS

    def test_holders_by_pattern(self, hoard: pythons.Target) -> None:
        for pattern in ("SESSIONS", "__main__.*SESS"):
            seen = document("heap", hoard.pid, "--holders", pattern)
            assert "__main__.SESSIONS" in {one["path"] for one in seen["holders"]}
            assert all("SESS" in one["path"] for one in seen["holders"])
        assert document("heap", hoard.pid, "--holders", "no such thing")["holders"] == []

    def test_garbage(self, hoard: pythons.Target) -> None:
        hoard.ask("leave 300")
        garbage = document("heap", hoard.pid, "--garbage")["garbage"]
        assert row(garbage["types"], type="__main__.Node")["objects"] == 300
        assert garbage["enabled"] is False
        assert garbage["objects"] == sum(one["objects"] for one in garbage["types"])
        assert garbage["bytes"] >= 300 * 48

    @pytest.mark.few_interpreters
    def test_what_grew_and_who_holds_it(self, hoard: pythons.Target) -> None:
        with growing(hoard, 50):
            seen = document("heap", hoard.pid, "--diff", "2.5")
        sessions = row(seen["types"], type="__main__.Session")
        growth = sessions["growth"]["objects"]
        most = json.loads(hoard.ask("grow 0"))["sessions"] - SESSIONS
        assert 50 <= growth <= most
        assert sessions["objects"] >= SESSIONS + growth
        assert sessions["growth"]["allocated_bytes"] >= growth * 48
        assert "__main__.Session" in {one["type"] for one in seen["types"][:3]}
        assert seen["holders"][0]["path"] == "__main__.SESSIONS"
        container = row(seen["containers"], path="__main__.SESSIONS")
        assert 50 <= container["growth"] <= most
        assert seen["window"]["apart_s"] > 2.4

    @pytest.mark.few_interpreters
    def test_a_sample(self, hoard: pythons.Target) -> None:
        seen = document("heap", hoard.pid, "--sample", "1/4", "--seed", "3")
        sessions = row(seen["types"], type="__main__.Session")
        assert 0.7 * SESSIONS < sessions["objects"] < 1.3 * SESSIONS
        low, high = sessions["interval"]["objects"]
        assert low <= sessions["objects"] <= high
        assert seen["sampled"]["fraction"] == 0.25
        assert seen["sampled"]["pools"] < seen["sampled"]["pools_total"]
        assert seen["holders"] is None

    @pytest.mark.few_interpreters
    def test_frozen_it_is_exact(self, hoard: pythons.Target) -> None:
        seen = document("heap", hoard.pid, "--freeze", "--freeze-limit", 60)
        assert row(seen["types"], type="__main__.Session")["objects"] == SESSIONS
        assert seen["frozen"]["exact"] is True
        assert seen["frozen"]["held_ms"] > 0
        assert seen["evidence"]["torn_objects"] == 0
        assert json.loads(hoard.ask("grow 1"))["sessions"] == SESSIONS + 1


def test_it_fits_one_screen(own_hoard: pythons.Target) -> None:
    shown = in_a_terminal(["heap", str(own_hoard.pid)], {"COLUMNS": "80", "LINES": "24"})
    lines = ANSI.sub("", shown).replace("\r", "").splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert any("__main__.SESSIONS (20,000)" in line for line in lines)
    assert any("__main__.Session" in line and "20,000" in line for line in lines)


def test_a_bar_on_a_terminal_and_gone_before_the_result(own_hoard: pythons.Target) -> None:
    leader, follower = os.openpty()
    command = [*COMMAND, "heap", str(own_hoard.pid), "--diff", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower) as running:
        os.close(follower)
        shown = b""
        with suppress(OSError):  # EIO: the last one who had the terminal open is gone
            while chunk := os.read(leader, 65536):
                shown += chunk
        os.close(leader)
        assert running.communicate()[0].startswith(b"pid ")
    assert b"counting objects" in shown
    assert b"waiting for what grows  [" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_the_rows_of_a_page_can_be_chosen(own_hoard: pythons.Target) -> None:
    sizes = [len(run("heap", own_hoard.pid, "--top", top).stdout.splitlines()) for top in (1, 3)]
    assert sizes[1] == sizes[0] + 4


def test_the_target_is_neither_stopped_nor_traced(own_hoard: pythons.Target) -> None:
    """Without --freeze: ptrace would show."""
    check_never_stopped(own_hoard.pid, [*COMMAND, "heap", str(own_hoard.pid)])


def test_memprobe_stays_small(own_hoard: pythons.Target) -> None:
    """660,000 objects: what Python and numpy take, and the graph with what is made of it."""
    own_hoard.ask("grow 200000")
    done = run("heap", own_hoard.pid, wrapper=("/usr/bin/time", "-f", "%M"))
    assert int(done.stderr) < 180_000


class TestUsage:
    """Options that mean nothing: exit code 2, one line."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("x",), "'x' is neither a pid nor a file"),
            (("1", "--top", "0"), "--top must be at least 1"),
            (("1", "--diff", "0"), "--diff must be above 0 seconds"),
            (("1", "--diff", "nan"), "--diff must be above 0 seconds"),
            (("1", "--sample", "2"), "--sample must be above 0 and at most 1"),
            (("1", "--sample", "1/0"), "--sample must be above 0 and at most 1"),
            (("1", "--sample", "nan"), "--sample must be above 0 and at most 1"),
            (("1", "--sample", "much"), "--sample must be above 0 and at most 1"),
            (("1", "--sample", "0.1", "--type", "dict"), "--sample cannot say who holds what"),
            (("1", "--freeze", "--freeze-limit", "0"), "--freeze-limit must be above 0"),
            (("1", "--freeze", "--freeze-limit", "nan"), "--freeze-limit must be above 0"),
        ],
    )
    def test_it_is_refused(self, arguments: tuple[str, ...], words: str) -> None:
        assert words in complaint(run("heap", *arguments), 2)


class TestWhatCannotBeRead:
    """Beside those of test_bad_targets: refused, degraded, gone in the middle."""

    @needs_root
    def test_without_the_right_to_the_memory_it_says_which(
        self, own_hoard: pythons.Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise NotPermitted("no", remedy="nothing")

        monkeypatch.setattr(opening, "LiveMemory", refuse)
        with pytest.raises(NotPermitted) as caught:
            look(own_hoard.pid, Wishes(), lambda _: None)
        assert f"no right to read the memory of process {own_hoard.pid}: memprobe has CAP_SYS_PTRACE" in (
            caught.value.fact
        )

    @needs_root
    def test_a_user_without_rights(self, own_hoard: pythons.Target) -> None:
        words = complaint(as_nobody("heap", own_hoard.pid), 3)
        assert "not permitted to read" in words
        assert "as root (sudo)" in words

    def test_a_layout_check_that_fails_degrades_and_is_named(
        self, own_hoard: pythons.Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise LayoutCheckFailed("the layout check 'type of type' failed: it is something else")

        monkeypatch.setattr(opening, "attach_python", fail)
        seen = look(own_hoard.pid, Wishes(garbage=True), lambda _: None)
        assert (seen.target.tier, seen.types, seen.holders, seen.garbage) == (0, None, None, None)
        assert seen.totals.rss_bytes
        assert seen.totals.objects is None
        assert seen.evidence.invisible == (
            "The heap: the layout check 'type of type' failed: it is something else.",
        )

    def test_an_impostor(self, tmp_path: Path) -> None:
        with impostor(tmp_path, 0x030D02F0) as target:
            done = run("heap", target.pid)
        assert (done.returncode, done.stderr) == (0, "")
        assert "its objects cannot be seen" in done.stdout
        assert "the layout check 'debug offsets' failed" in done.stdout

    def test_a_target_that_ends_or_execs_while_it_is_read(self, targets: Path) -> None:
        """At moments over the whole look: a document of that process, or the right error."""
        chance, outcomes = random.Random(3), Counter[str]()
        with pythons.own().spawn(targets / "short_lived.py") as target:
            span_us = 0.0
            for number in range(TIMES):
                if number % 30 == 0:  # how long that is depends on who else wants the CPU
                    span_us = 1.3 * look_us(target.pid)
                pid = int(target.ask(f"{ENDS[number % len(ENDS)]} {chance.uniform(0, span_us):.0f}"))
                try:
                    seen = look(pid, Wishes(garbage=True), lambda _: None)
                    assert isinstance(seen, Heap)
                    assert seen.target.pid == pid
                    outcomes["read in time"] += 1
                except (TargetGone, NotPython) as error:
                    outcomes[type(error).__name__] += 1
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGKILL)
        print(dict(outcomes))
        assert {"read in time", "TargetExited", "TargetReplaced"} <= outcomes.keys()

    def test_of_a_target_that_ends_between_two_looks_the_first_is_shown(
        self, own_hoard: pythons.Target
    ) -> None:
        leader, follower = os.openpty()
        command = [*COMMAND, "heap", str(own_hoard.pid), "--diff", "600", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower) as running:
            os.close(follower)
            while b"waiting" not in os.read(leader, 65536):
                pass
            own_hoard.kill()
            seen = json.loads(running.communicate(timeout=PATIENCE_S)[0])
        os.close(leader)
        assert running.returncode == 0
        assert seen["evidence"]["invisible"][-1] == (
            f"What grew: process {own_hoard.pid} ended while it was being read; this is the first look."
        )
        assert row(seen["types"], type="__main__.Session")["objects"] == SESSIONS
        assert seen["window"]["apart_s"] is None


def look_us(pid: int) -> float:
    look(pid, Wishes(garbage=True), lambda _: None)
    start = time.perf_counter()
    look(pid, Wishes(garbage=True), lambda _: None)
    return (time.perf_counter() - start) * 1e6
