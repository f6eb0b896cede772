"""The floors of the house: a module imports only from strictly below, its own room excepted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pythons import ROOT

GROUND = ("errors", "abi", "vocab")
"""The rooms of the ground floor in their order: the nouns are made of the kernel's records (abi)."""

FLOORS = {
    **dict.fromkeys(GROUND, 0),
    "inside": 0,
    "native": 1,
    "config": 1,
    "target": 2,
    "sources": 3,
    "heap": 3,
    "recording": 3,
    "ledger": 3,
    "learned": 3,
    "models": 3,
    "detectors": 4,
    "blame": 4,
    "experience": 4,
    "governor": 4,
    "views": 4,
    "session": 5,
    "api": 6,
    "guard": 6,
    "sidecar": 7,
    "cli": 8,
}
"""Every room that may exist, and its floor."""

OWNERS: dict[str, set[str]] = {
    "click": {"cli"},
    "rich": {"views", "cli"},
    "elftools": {"target"},
    "psutil": {"target", "sources", "governor"},
    "sqlite3": {"recording", "learned"},
    "bcc": {"sources"},
    "ctypes": {"native", "target", "inside", "sources"},
    "http": {"sidecar"},
    "socketserver": {"sidecar"},
    "pickle": set(),
    "marshal": set(),
}
"""Modules from outside, and the only rooms that may import them."""

PROC_READERS = {"target", "sources", "inside"}
"""The rooms that may name a path under /proc; inside.py stands alone in an application."""


def modules(package: Path) -> Iterator[tuple[Path, str]]:
    """Every module, and the room it is in ("" for the package itself)."""
    for path in sorted(package.rglob("*.py")):
        top = path.relative_to(package).parts[0].removesuffix(".py")
        yield path, "" if top == "__init__" else top


def imported(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, full module name) of every import, wherever in the file it stands."""
    here = path.relative_to(package.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(here[: -node.level]) if node.level else ""
            module = ".".join(part for part in (above, node.module or "") if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def import_violation(room: str, name: str, package: str) -> str:
    """What is wrong with a module of this room importing this name; empty if nothing."""
    top, _, rest = name.partition(".")
    if top != package:
        owners = OWNERS.get(top)
        allowed = owners is None or room in owners
        return "" if allowed else f"{top} belongs to {sorted(owners or ()) or 'nobody'}"
    target = rest.partition(".")[0]
    if target in ("", room) or target not in FLOORS:
        return ""  # the package's own names, such as __version__
    if room in GROUND and target in GROUND[: GROUND.index(room)]:
        return ""
    if room not in FLOORS or FLOORS[target] >= FLOORS[room]:
        return f"{target} [{FLOORS[target]}] is not below {room or package} [{FLOORS.get(room, 0)}]"
    return ""


def proc_literals(path: Path) -> Iterator[int]:
    """Lines with a string that is a path under /proc."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and re.match(r"/proc(/\S*)?$", str(node.value)):
            yield node.lineno


def violations(package: Path) -> Iterator[str]:
    """Every sentence about a module that is not where it belongs or reaches where it may not."""
    for path, room in modules(package):
        where = path.relative_to(package.parent)
        if room and room not in FLOORS:
            yield f"{where}: no such room in the table"
        for line, name in imported(path, package):
            complaint = import_violation(room, name, package.name)
            if complaint:
                yield f"{where}:{line}: imports {name}: {complaint}"
        if room not in PROC_READERS:
            yield from (f"{where}:{line}: /proc is read in target only" for line in proc_literals(path))


def test_every_import_points_down() -> None:
    assert list(violations(ROOT / "memprobe")) == []


def test_no_room_is_empty() -> None:
    sizes: dict[str, int] = {}
    for path, room in modules(ROOT / "memprobe"):
        sizes[room] = sizes.get(room, 0) + path.stat().st_size
    assert [room for room, size in sizes.items() if size == 0] == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("target/proc/procfs.py", "from memprobe.views import plain", "views [4] is not below target [2]"),
        ("target/proc/procfs.py", "from ...cli import main", "cli [8] is not below target [2]"),
        ("views/plain.py", "def show():\n    import memprobe.blame.hits", "blame [4] is not below views [4]"),
        ("errors.py", "from memprobe.vocab import Frame", "vocab [0] is not below errors [0]"),
        ("__init__.py", "from memprobe import errors", "errors [0] is not below memprobe [0]"),
        ("vocab/page.py", "import click.testing", "click belongs to ['cli']"),
        ("cli/run.py", "import pickle", "pickle belongs to nobody"),
        ("helpers/__init__.py", "x = 1", "no such room in the table"),
        ("cli/run.py", "open('/proc/self/maps')", "/proc is read in target only"),
    ],
)
def test_the_checker_sees(tmp_path: Path, file: str, line: str, complaint: str) -> None:
    module = tmp_path / "memprobe" / file
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(line)
    assert any(complaint in found for found in violations(tmp_path / "memprobe"))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            "cli/run.py",
            "import click; from memprobe.target import mappings; from memprobe import __version__",
        ),
        ("target/proc/procfs.py", "from . import mappings; from memprobe.errors import TargetGone"),
        ("views/page.py", "print('see /proc for details')"),
        ("vocab/rows.py", "from memprobe import abi"),
    ],
)
def test_the_checker_lets_pass(tmp_path: Path, file: str, line: str) -> None:
    module = tmp_path / "memprobe" / file
    module.parent.mkdir(parents=True)
    module.write_text(line)
    assert list(violations(tmp_path / "memprobe")) == []
