"""Threads: who they are to the operating system and to Python, and who holds the lock."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from memprobe.target.cpython.objects import Objects
from memprobe.target.cpython.python import Python, PythonThread
from memprobe.target.cpython.threads import OsThread, ThreadState, TidFinder
from memprobe.target.layouts import load_layout
from memprobe.target.memory.fake import FakeMemory
from patience import until
from pythons import Interpreter
from target.attaching import attached


def test_tids_and_names(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "named_threads.py") as target, attached(target.pid) as python:
        truth = json.loads(target.ask("threads"))
        threads = {thread.ident: thread for thread in python.threads(stacks=False)}
        for ident, (tid, name, daemon) in truth.items():
            found = threads.pop(int(ident))
            assert (found.tid, found.name, found.daemon) == (tid, name, daemon)
        (unknown,) = threads.values()
    assert (unknown.name, unknown.daemon) == ("", None)
    assert unknown.tid is not None
    assert unknown.os_name
    assert unknown.stack is None


def test_children_of_a_process_with_threads(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "forked.py", ready="child") as target:
        target.expect("ready")
        child = int(Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text())
        with attached(child) as python:
            truth = json.loads(target.ask("threads"))
            threads = python.threads()
    # Until 3.13 threading keeps the native id of the parent's main thread.
    named = {name: (child if name == "MainThread" else tid) for tid, name, _ in truth.values()}
    assert {thread.name: thread.tid for thread in threads} == named
    assert all(thread.stack is not None and thread.stack.frames for thread in threads)


@pytest.mark.parametrize("holder", ["main", "other"])
def test_who_holds_the_lock(interpreter: Interpreter, targets: Path, holder: str) -> None:
    with interpreter.spawn(targets / "holds_gil.py", holder) as target, attached(target.pid) as python:
        holders = _wait_for_holder(python, int(target.ready))
    assert [thread.stack.frames[0].function for thread in holders if thread.stack] == ["hold"]


def _wait_for_holder(python: Python, tid: int) -> list[PythonThread]:
    """Look until the thread has come from saying that it will hold the lock to holding it."""

    def holders() -> list[PythonThread] | None:
        found = [thread for thread in python.threads() if thread.holds_gil]
        return found if [thread.tid for thread in found] == [tid] else None

    return until(holders) or []


def test_nobody_holds_the_lock_of_who_waits(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "named_threads.py") as target, attached(target.pid) as python:
        until(lambda: not any(thread.holds_gil for thread in python.threads(stacks=False)))


PTHREAD = 0x7F0000000000
TID_OFFSET = 0x2D0


def pthreads(*tids: int) -> FakeMemory:
    """Memory with a struct pthread of each tid, as glibc has it."""
    blocks = {}
    for number, tid in enumerate(tids):
        block = bytearray(0x1000)
        struct.pack_into("<I", block, TID_OFFSET, tid)
        blocks[PTHREAD + 0x1000 * number] = bytes(block)
    return FakeMemory(blocks)


def state(number: int, ident: int, native_id: int = 0, *, has_frame: bool = True) -> ThreadState:
    return ThreadState(0x1000 + number, ident, native_id, has_frame)


def matched(memory: FakeMemory, states: list[ThreadState], *tids: int) -> list[int | None]:
    """The tid found for each state; outside of the target's namespace tids are 1000 more."""
    finder = TidFinder(Objects(memory, load_layout((3, 8))), [OsThread(tid + 1000, tid, "") for tid in tids])
    found = finder.match(states)
    return [found[one.address].tid if one.address in found else None for one in states]


def test_tid_is_found_in_struct_pthread() -> None:
    states = [state(0, PTHREAD), state(1, PTHREAD + 0x1000)]
    assert matched(pthreads(7, 8), states, 7, 8, 9) == [1007, 1008]


def test_a_new_thread_with_its_parents_ident_is_nobody() -> None:
    states = [state(0, PTHREAD, has_frame=False), state(1, PTHREAD)]
    assert matched(pthreads(7), states, 7) == [None, 1007]


def test_the_native_id_is_believed_only_if_there_is_such_a_thread() -> None:
    states = [state(0, PTHREAD, native_id=7), state(1, PTHREAD + 0x1000, native_id=55)]
    assert matched(pthreads(7, 8), states, 7, 8) == [1007, 1008]


def test_a_tid_that_two_threads_seem_to_have_is_nobodys() -> None:
    states = [state(0, PTHREAD), state(1, PTHREAD + 0x1000)]
    assert matched(pthreads(7, 7), states, 7, 8) == [None, None]


def test_idents_that_lead_nowhere_find_nothing() -> None:
    states = [state(0, 0), state(1, 0xDEADBEEF000), state(2, 2**63 + 1)]
    assert matched(pthreads(7), states, 7) == [None, None, None]
