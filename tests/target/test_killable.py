"""Work in a child that may be killed: results, errors, being held up, dying, and dying with the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memprobe.errors import NotPython, TargetBlocksReading
from memprobe.target.killable import Outcome, ReaderDied, Tell, call, call_each, call_telling
from patience import until


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_is_left():  # type: ignore[no-untyped-def]
    before = children(), len(open_files())
    yield
    assert (children(), len(open_files())) == before


def test_the_result_comes_back() -> None:
    assert call(lambda: {"text": "日本\udc80\x1b", "numbers": [1, 2.5, None, True]}) == {
        "text": "日本\udc80\x1b",
        "numbers": [1, 2.5, None, True],
    }


def test_a_large_result_comes_back_whole() -> None:
    assert call(lambda: "x" * 30_000_000) == "x" * 30_000_000


def test_an_error_keeps_its_kind_its_fact_and_its_remedy() -> None:
    def fail() -> None:
        raise NotPython("it is a shell", remedy="give another pid")

    with pytest.raises(NotPython) as caught:
        call(fail)
    assert (caught.value.fact, caught.value.remedy) == ("it is a shell", "give another pid")


def test_a_bug_in_the_child_carries_its_traceback() -> None:
    with pytest.raises(ReaderDied, match="ZeroDivisionError: ") as caught:
        call(lambda: 1 // 0)
    assert "Traceback (most recent call last)" in caught.value.__notes__[0]


def test_a_result_that_is_no_plain_data_is_a_bug() -> None:
    with pytest.raises(ReaderDied, match="not JSON serializable"):
        call(object)


def test_a_child_that_sleeps_is_given_up() -> None:
    with pytest.raises(TargetBlocksReading, match="does not return"):
        call(lambda: time.sleep(900), blocked_limit_s=0.75)


def test_a_child_that_works_is_not_given_up() -> None:
    def work() -> int:
        count, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            count += 1
        return count

    assert call(work, blocked_limit_s=0.75) > 0


@pytest.mark.parametrize(
    ("die", "words"),
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"), (lambda: os._exit(7), "exit code 7")],
)
def test_a_child_that_dies_says_how(die, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ReaderDied, match=words):
        call(die)


def test_a_child_says_how_far_it_is() -> None:
    def work(tell: Tell) -> str:
        for part in range(3):
            tell({"part": part, "name": "日本"})
        return "done"

    heard: list[object] = []
    assert call_telling(work, heard.append) == "done"
    assert heard == [{"part": part, "name": "日本"} for part in range(3)]


def test_a_child_that_waits_on_purpose_is_not_given_up() -> None:
    def work(tell: Tell) -> str:
        for _ in range(8):
            time.sleep(0.25)
            tell(None)
        return "done"

    assert call_telling(work, lambda _: None, blocked_limit_s=0.75) == "done"


def test_a_child_that_tells_nothing_more_is_given_up() -> None:
    def work(tell: Tell) -> None:
        tell(None)
        time.sleep(900)

    with pytest.raises(TargetBlocksReading, match="does not return"):
        call_telling(work, lambda _: None, blocked_limit_s=0.75)


def test_one_bad_item_costs_only_itself() -> None:
    def work(item: str) -> str:
        match item:
            case "blocks":
                time.sleep(900)
            case "dies":
                os._exit(1)
            case "fails":
                raise NotPython("no")
        return item

    items = ["first", "blocks", "fails", "dies", "last"]
    outcomes = list(call_each(work, items, blocked_limit_s=0.5))
    assert [outcome.result for outcome in outcomes] == ["first", None, None, None, "last"]
    assert [type(outcome.error) for outcome in outcomes[1:4]] == [TargetBlocksReading, NotPython, ReaderDied]


def test_leaving_early_ends_the_child() -> None:
    outcomes = call_each(lambda item: item, range(1000))
    assert next(outcomes) == Outcome(0)
    outcomes.close()  # type: ignore[attr-defined]


def test_no_item_needs_no_child() -> None:
    assert list(call_each(lambda item: item, [])) == []


def test_the_child_dies_with_its_parent() -> None:
    code = (
        "import time; from memprobe.target.killable import call\n"
        "def sleep():\n"
        "    import os; print(os.getpid(), flush=True); time.sleep(100)\n"
        "call(sleep, blocked_limit_s=100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    # The pipe ends when the last one who could write to it is gone.
    assert parent.stdout.read() == ""
    parent.stdout.close()
    until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
