"""Births of every kind from known lines: what was born, and from which stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kernel_source.following import Following, following
from memprobe.abi import BirthHow
from pythons import Interpreter

pytestmark = pytest.mark.usefixtures("bpf")


def seen(found: Following, pid: int) -> dict[int, tuple[str, list[list[Any]]]]:
    """What the source says of each descriptor: how it was born, and its frames."""
    births, stacks = found.table("births"), found.stacks
    return {
        int(row["descriptor"]): (
            BirthHow(row["how"]).name,
            [[one.function, one.file, one.line] for one in stacks[int(row["stack_id"])].frames],
        )
        for row in births
        if row["pid"] == pid
    }


def test_every_birth_has_its_kind_and_its_stack(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "births.py") as target, following(target.pid) as found:
        truth = json.loads(target.ask("go"))
        assert len(truth) > 800
        found.poll()
        told = seen(found, target.pid)
        assert found.losses == {}
        wrong = {
            number: (expected, told.get(int(number)))
            for number, expected in truth.items()
            if told.get(int(number)) != (expected[0], expected[1])
        }
        assert wrong == {}
        assert all(stack.complete for stack in found.stacks.values())
