"""The command: what it shows, and what it says of a process that it can show nothing of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pythons
from cli.running import complaint, document, run

KINDS = {
    "schema",
    "memprobe",
    "created_at",
    "target",
    "tasks",
    "loops",
    "futures",
    "executors",
    "threads",
    "evidence",
    "invisible",
}


def test_the_document(interpreter: pythons.Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_zoo.py") as target:
        shown = document("tasks", target.pid, "--duration", "0.2")
    assert shown.keys() == KINDS
    assert shown["schema"] == "memprobe.tasks/1"
    assert shown["target"]["pid"] == target.pid
    assert shown["evidence"]["looks"] == 2
    assert len(shown["tasks"]) > 200
    assert {task["age"] for task in shown["tasks"]} == {"older"}
    assert shown["invisible"] == []


def test_the_page_and_the_tree(targets: Path) -> None:
    with pythons.own().spawn(targets / "tasks_awaits.py") as target:
        page, tree = (
            run("tasks", target.pid, "--duration", 0, *more) for more in ((), ("--tree", "--stacks"))
        )
    assert page.returncode == tree.returncode == 0
    assert page.stdout.startswith(f"pid {target.pid} (CPython ")
    assert "forever tasks_awaits.py:4" in page.stdout
    assert "threads:" in page.stdout
    lines = tree.stdout.splitlines()
    circle = next(index for index, line in enumerate(lines) if "circle of tasks" in line)
    assert "(see above)" in lines[circle + 2]
    assert re.search(r"^task Task-\d+, pending:$", tree.stdout, re.MULTILINE)


def test_names_are_escaped(targets: Path) -> None:
    with pythons.own().spawn(targets / "tasks_zoo.py") as target:
        done = run("tasks", target.pid, "--tree", "--duration", 0)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert re.search(r"named \d+ \\x1b\[31m", done.stdout)


def test_a_target_without_asyncio(targets: Path) -> None:
    with pythons.own().spawn(targets / "named_threads.py") as target:
        shown = document("tasks", target.pid, "--duration", "0")
        page = run("tasks", target.pid, "--duration", "0")
    assert (shown["tasks"], shown["loops"], shown["futures"], shown["executors"]) == ([], [], [], [])
    assert len(shown["threads"]) >= 8
    assert shown["evidence"]["searched_mb"] == 0
    assert "asyncio knows of no task in this process" in page.stdout


@pytest.mark.parametrize("seconds", ["-1", "1e9", "nan"])
def test_a_wrong_duration(seconds: str) -> None:
    assert "--duration" in complaint(run("tasks", "1", "--duration", seconds), 2)


@pytest.mark.parametrize("pid", ["x", "-", "1.5", "٣"])
def test_not_a_pid(pid: str) -> None:
    assert "is not a pid" in complaint(run("tasks", "--", pid), 2)


def test_a_target_that_ends_between_the_looks(targets: Path) -> None:
    with pythons.own().spawn(targets / "tasks_busy.py") as target:
        target.send("end")
        words = complaint(run("tasks", target.pid, "--duration", "5"), 4)
    assert str(target.pid) in words
