"""91 puzzles of who holds an object: the path names the true holder.

Each file in tests/targets/puzzles begins with the answers that are right, written down before anything was
built that answers them. `~` stands for the puzzle's own module, `N` for the number of a thread, `[N]` for
an index that is not the same in all versions, `*` for anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heap_looks.holding_in import Look, hoard_folder, looked_into
from heap_looks.walking import Walk
from pythons import Interpreter

MAIN = "<thread N 'MainThread'> __main__:main local kept"
ALLOWED = 2
"""Answers that may be wrong; of 60 puzzles 58 should be right."""

NOT_YET: dict[str, set[str]] = {}
"""Puzzles whose answer is known to be wrong, by minor version. They count as wrong."""


def answers(puzzles: Path, name: str) -> list[str]:
    """The right answers, as regular expressions."""
    if name == "__main__":
        return [_pattern(MAIN)]
    lines = (puzzles / f"{name}.py").read_text(encoding="utf-8").splitlines()
    texts = [line.removeprefix("# holder: ") for line in lines if line.startswith("# holder: ")]
    return [_pattern(text.replace("~", f"puzzles.{name}")) for text in texts]


def _pattern(text: str) -> str:
    text = re.escape(text).replace(r"<thread\ N", r"<thread \d+")
    return text.replace(r"\[N\]", r"\[\d+\]").replace(r"\*", ".*")


@contextmanager
def puzzled(interpreter: Interpreter, targets: Path, *names: str) -> Iterator[tuple[Look, dict[str, int]]]:
    """Set up puzzles in one process and look into it."""
    hoard = str(interpreter.path_inside(hoard_folder()))
    with (
        interpreter.spawn(targets / "all_puzzles.py", hoard, *names) as target,
        looked_into(target.pid) as look,
    ):
        yield look, json.loads(target.ready)


def all_names(targets: Path) -> list[str]:
    return sorted(path.stem for path in (targets / "puzzles").glob("*.py"))


def test_there_are_enough(targets: Path) -> None:
    names = all_names(targets)
    assert len(names) >= 60
    assert all(answers(targets / "puzzles", name) for name in names)


def test_the_path_names_the_true_holder(interpreter: Interpreter, targets: Path) -> None:
    with puzzled(interpreter, targets, *all_names(targets)) as (look, truth):
        wrong = {}
        for name, address in truth.items():
            path = look.path(address)
            if not any(re.fullmatch(answer, path) for answer in answers(targets / "puzzles", name)):
                wrong[name] = path
    assert len(truth) == len(all_names(targets)) + 1
    minor = f"{interpreter.version[0]}.{interpreter.version[1]}"
    assert set(wrong) == NOT_YET.get(minor, set()), wrong
    assert len(wrong) <= ALLOWED


@pytest.mark.few_interpreters
def test_reading_object_by_object_finds_the_same(interpreter: Interpreter, targets: Path) -> None:
    names = ["module_dict", "slots", "closure", "generator", "thread_frame", "partial", "enum_member"]
    with puzzled(interpreter, targets, *names) as (look, truth):
        walk = Walk(look.holders.members, list(look.holders.holding.roots.values()))
        for name in names:
            path = walk.path(truth[name])
            assert path is not None
            assert path.text == look.path(truth[name])


@pytest.mark.parametrize("name", ["module_dict", "dict_key", "lru_cache"])
def test_keys_are_hidden(interpreter: Interpreter, targets: Path, name: str) -> None:
    with puzzled(interpreter, targets, name) as (look, truth):
        path = look.path(truth[name])
    assert "[…]" in path
    assert "secret" not in path


def test_keys_are_shown_to_who_wants_them(interpreter: Interpreter, targets: Path) -> None:
    hoard = str(interpreter.path_inside(hoard_folder()))
    with (
        interpreter.spawn(targets / "all_puzzles.py", hoard, "module_dict") as target,
        looked_into(target.pid, with_keys=True) as look,
    ):
        path = look.path(json.loads(target.ready)["module_dict"])
    assert path == "puzzles.module_dict.CACHE['a secret key']"


def test_what_nothing_holds_has_no_path(interpreter: Interpreter, targets: Path) -> None:
    with puzzled(interpreter, targets) as (look, _):
        assert look.path(0) == ""
        assert look.path(0x7FFF_FFFF_F000) == ""
