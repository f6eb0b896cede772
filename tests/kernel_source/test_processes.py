"""Children, exec and the end: what is followed, and how its stacks are named."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from kernel_source.following import EVERY_STACK, Following, following
from memprobe.abi import ProcessHow
from memprobe.sources.kernel import KernelOptions
from memprobe.sources.kernel.kit import Kit
from pythons import Interpreter

pytestmark = [pytest.mark.usefixtures("bpf"), pytest.mark.few_interpreters]

TREE = KernelOptions(tree=True, settings=EVERY_STACK)


def functions(found: Following, pid: int) -> Counter[tuple[str, ...]]:
    """How often each stack (functions only) opened something in a process."""
    births, stacks = found.table("births"), found.stacks
    mine = births[(births["pid"] == pid) & (births["how"] == 1)]
    return Counter(
        tuple(frame.function for frame in stacks[number].frames) if number else ()
        for number in mine["stack_id"].tolist()
    )


def without_comprehensions(counted: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """Up to 3.11 a comprehension is a function of its own."""
    plain: Counter[tuple[str, ...]] = Counter()
    for stack, count in counted.items():
        plain[tuple(name for name in stack if not name.endswith("<listcomp>"))] += count
    return plain


def named(found: Following, pid: int) -> list[tuple[tuple[str, ...], int]]:
    return list(without_comprehensions(functions(found, pid)).items())


def children(found: Following, pid: int) -> list[int]:
    rows = found.table("processes")
    return [int(row["other"]) for row in rows if row["how"] == ProcessHow.FORK and row["pid"] == pid]


def test_children_are_followed_from_their_first_instruction(
    interpreter: Interpreter, targets: Path, kit: Kit
) -> None:
    with interpreter.spawn(targets / "family.py") as target, following(target.pid, TREE, kit) as found:
        child = int(target.ask("fork 7"))
        found.poll()
        assert children(found, target.pid) == [child]
        (grandchild,) = children(found, child)
        # From 3.12 on fork itself opens /proc/self/stat, to count the threads.
        own = {"open_some"}
        assert [item for item in named(found, child) if own & set(item[0])] == [
            (("open_some", "child", "<module>"), 7)
        ]
        assert [item for item in named(found, grandchild) if own & set(item[0])] == [
            (("open_some", "grandchild", "child", "<module>"), 2)
        ]
        ended = found.table("processes")
        assert {child, grandchild} <= set(ended[ended["how"] == ProcessHow.EXIT]["pid"].tolist())
        assert found.losses == {}


def test_without_tree_a_child_is_only_mentioned(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, following(target.pid) as found:
        child = int(target.ask("fork 7"))
        found.poll()
        assert children(found, target.pid) == [child]
        assert child not in found.table("births")["pid"]


def test_children_that_were_there_before_are_followed_too(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target:
        child = int(target.ask("keep"))
        with following(target.pid, TREE) as found:
            assert found.source.knows_stacks(child)
            os.kill(child, signal.SIGUSR1)
            found.until(lambda: len(found.batches) and (found.table("births")["pid"] == child).sum() == 3)
            assert without_comprehensions(functions(found, child)) == {("open_some", "keep", "<module>"): 3}


def test_children_get_uprobes_of_their_own(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, following(target.pid, TREE) as found:
        child = int(target.ask("keep"))
        found.poll()
        of_parent = {one.point for one in found.source.attached if one.pid == target.pid}
        found.until(lambda: {one.point for one in found.source.attached if one.pid == child} == of_parent)
        os.kill(child, signal.SIGKILL)
        found.until(lambda: not [one for one in found.source.attached if one.pid == child])


def test_after_exec_the_new_python_is_found(interpreter: Interpreter, targets: Path) -> None:
    script = interpreter.path_inside((targets / "family.py").resolve())
    with interpreter.spawn(targets / "family.py") as target, following(target.pid) as found:
        target.ask("open 3")
        found.poll()  # what is not looked up before exec has no names any more
        target.send(f"exec {interpreter.own_path} {script}")
        target.expect("ready")
        found.poll()
        found.until(lambda: found.source.knows_stacks(target.pid))
        assert [one["pid"] for one in found.table("processes") if one["how"] == ProcessHow.EXEC] == [
            target.pid
        ]
        target.ask("open 5")
        found.poll()
        counted = without_comprehensions(functions(found, target.pid))
        assert counted["open_some", "<module>"] == 8


def test_exec_from_another_thread(targets: Path, interpreter: Interpreter, kit: Kit) -> None:
    script = interpreter.path_inside((targets / "family.py").resolve())
    with interpreter.spawn(targets / "family.py") as target, following(target.pid, kit=kit) as found:
        target.send(f"thread {interpreter.own_path} {script}")
        target.expect("ready")
        found.poll()
        found.until(lambda: found.source.knows_stacks(target.pid))
        target.ask("open 5")
        found.poll()
        assert without_comprehensions(functions(found, target.pid))["open_some", "<module>"] == 5


def test_a_program_that_is_no_python(targets: Path, interpreter: Interpreter) -> None:
    with interpreter.spawn(targets / "family.py") as target, following(target.pid) as found:
        target.send("exec /bin/cat")
        said = f"Stacks of process {target.pid} are not known"
        found.until(lambda: any(one.startswith(said) for one in found.source.invisible))
        assert not found.source.knows_stacks(target.pid)
        target.send("still there")
        target.expect("still there")


def test_the_end_of_the_target_is_the_end_of_the_batches(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, following(target.pid) as found:
        target.send("end")
        target.process.wait()
        batch = found.poll()
        assert batch is not None
        assert ProcessHow.EXIT in batch.processes["how"]
        assert found.poll() is not None, "what had grown by the end"
        assert found.poll() is None
        assert found.poll() is None


def test_a_process_that_is_no_python_at_all() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        try:
            with following(process.pid) as found:
                assert not found.source.knows_stacks(process.pid)
                found.poll()
        finally:
            process.kill()


def test_the_pid_is_that_of_this_namespace(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, following(target.pid) as found:
        target.ask("open 4")
        found.poll()
        births = found.table("births")
        assert set(births["pid"].tolist()) == {target.pid}
        assert set(births["tid"].tolist()) <= set(map(int, os.listdir(f"/proc/{target.pid}/task")))
