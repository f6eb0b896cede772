"""A memory that does not return is left behind, and is used again when it answers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from memprobe.errors import ReadFault
from memprobe.target.memory.live import LiveMemory
from memprobe.target.memory.patient import PatientMemory
from memprobe.target.patience import GaveUp, Patience
from memprobe.target.proc.process import open_process
from patience import PATIENCE_S, until
from pythons import own

HERE = Path(__file__).resolve().parent / "targets"


def test_results_and_errors_come_through() -> None:
    patience = Patience()
    assert patience.call(lambda: 6 * 7, PATIENCE_S) == 42
    with pytest.raises(KeyError):
        patience.call(lambda: {1: 2}[3], PATIENCE_S)
    assert patience.given_up == 0
    patience.close()


def test_what_hangs_is_left_behind_and_found_again() -> None:
    patience = Patience()
    out, back = os.pipe()
    with pytest.raises(GaveUp):
        patience.call(lambda: os.read(out, 1), 0.1)
    begin = time.monotonic()
    with pytest.raises(GaveUp):
        patience.call(lambda: 1, PATIENCE_S)
    assert time.monotonic() - begin < PATIENCE_S, "not waited for again"
    assert patience.given_up == 2
    os.write(back, b"x")
    until(lambda: answers(patience))
    patience.close()
    os.close(out)
    os.close(back)


def answers(patience: Patience) -> bool:
    try:
        return patience.call(lambda: True, PATIENCE_S)
    except GaveUp:
        return False


def test_what_works_is_not_given_up() -> None:
    patience = Patience()
    assert patience.call(lambda: sum(range(3_000_000)), 0.001) == 3_000_000 * 2_999_999 // 2
    patience.close()


def test_a_forked_child_calls_by_itself() -> None:
    patience = Patience()
    patience.call(lambda: None, PATIENCE_S)
    child = os.fork()
    if child == 0:
        os._exit(patience.call(lambda: 7, 1.0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    patience.close()


def test_a_page_that_is_withheld() -> None:
    """Until it is filled, nothing can be read; then it can."""
    with own().spawn(HERE / "withholds_page.py", ready="") as target:
        first = target.ready
        if first == "refused":
            pytest.skip("no userfaultfd here")
        page = int(first)
        with open_process(target.pid) as process:
            memory = PatientMemory(LiveMemory(process.id, process.pidfd))
            with memory:
                memory.limit_s = 0.3
                with pytest.raises(ReadFault):
                    memory.read(page, 8)
                assert memory.read_many([(page, 8), (page, 8)]) == [b"", b""]
                assert memory.read_into([(page, 8)], memoryview(bytearray(8))) == [0]
                target.ask("fill it")
                memory.limit_s = PATIENCE_S
                until(lambda: memory.read_many([(page, 8)]) == [bytes(8)])
                assert memory.given_up >= 1  # of the others the kernel may have told a fault
