"""Calls in a child that nobody waits for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from memprobe.errors import TargetBlocksReading, TargetExited
from memprobe.target import errand as errands
from memprobe.target.errand import Errand
from memprobe.target.killable import Outcome, ReaderDied


@contextmanager
def sent(function: Callable[[], Any], *keeps: int) -> Iterator[Errand]:
    errand = Errand(function, keeps)
    try:
        yield errand
    finally:
        errand.end()
        while not errand.is_collected():
            time.sleep(0.001)


def back(errand: Errand) -> Outcome:
    while (outcome := errand.outcome()) is None:
        time.sleep(0.001)
    return outcome


def refuse() -> None:
    raise TargetExited("it is gone", remedy="none")


def test_a_result_however_long_comes_back() -> None:
    text = "x" * (1 << 22)
    with sent(lambda: [text, None]) as errand:
        assert back(errand).get() == [text, None]


def test_an_error_comes_back_as_what_it_is() -> None:
    with sent(refuse) as errand, pytest.raises(TargetExited, match="it is gone"):
        back(errand).get()


def test_a_bug_comes_back_as_words() -> None:
    with sent(lambda: 1 // 0) as errand, pytest.raises(ReaderDied, match="ZeroDivisionError"):
        back(errand).get()


def test_one_that_is_killed() -> None:
    with sent(lambda: time.sleep(100)) as errand:
        assert errand.outcome() is None
        os.kill(errand.pid, signal.SIGKILL)
        with pytest.raises(ReaderDied):
            back(errand).get()


def test_only_its_parent_ends_it() -> None:
    """A signal that goes to the whole group is no reason to report that a look has failed."""

    def work() -> str:
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        return "alive"

    with sent(work) as errand:
        assert back(errand).get() == "alive"


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "BLOCKED_LIMIT_S", 0.3)
    with sent(lambda: time.sleep(100)) as errand, pytest.raises(TargetBlocksReading):
        back(errand).get()


def test_it_has_no_descriptor_of_its_parent() -> None:
    with open("/dev/null") as held, sent(lambda: os.listdir("/proc/self/fd")) as errand:
        found = back(errand).get()
        assert held.fileno() > 2
    assert len(found) == 5  # three, the pipe, and the listing itself


def test_it_keeps_the_descriptors_that_are_said(tmp_path: Path) -> None:
    with (tmp_path / "kept").open("wb") as kept, (tmp_path / "other").open("wb") as other:

        def work() -> list[str]:
            os.write(kept.fileno(), b"from the child")
            return os.listdir("/proc/self/fd")

        with sent(work, kept.fileno()) as errand:
            found = back(errand).get()
        assert str(kept.fileno()) in found
        assert other.fileno() > 2
    assert len(found) == 6
    assert (tmp_path / "kept").read_bytes() == b"from the child"


def test_what_it_costs_is_known_until_it_is_collected() -> None:
    def work() -> int:
        held = bytearray(b"x" * (16 << 20))
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        time.sleep(100)
        return len(held)

    with sent(work) as errand:
        while errand.cpu_ns < 100_000_000 or errand.private_bytes() < 16 << 20:
            time.sleep(0.01)
        errand.end()
        while not errand.is_collected():
            time.sleep(0.001)
        assert errand.cpu_ns >= 100_000_000
