"""The layout tables against the debug information of a real build, through gdb."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from memprobe.target.layouts import Layout
from pythons import Interpreter

MODULES = ("_asyncio", "_datetime", "_queue", "_socket", "array", "mmap", "select")
"""The extension modules that have structs of their own in the tables."""

_ANSWER = """
set confirm off
python
def find(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        return None

def member(kind, name):
    for field in kind.strip_typedefs().fields():
        if field.name == name:
            return field.bitpos // 8, field.type
        inner = None if field.name else member(field.type, name)  # an anonymous union
        if inner:
            return field.bitpos // 8 + inner[0], inner[1]

def place(kind, path):
    total = 0
    for part in path.split("."):
        offset, kind = member(kind, part)
        total += offset
    return total

def answer(name, fields):
    kind = find(name) or find("struct " + name)
    for field in fields if kind else ():
        print("@", name + "." + field, place(kind, field))
end
"""


def compare_with_debug_information(interpreter: Interpreter, layout: Layout) -> None:
    """Demand that every field that the debug information knows lies where the table says."""
    files = _files(interpreter)
    if shutil.which("gdb") is None or not files:
        pytest.skip("no gdb, or an interpreter without debug information")
    expected = _offsets(layout)
    found = _ask(files, layout)
    assert found == {name: expected[name] for name in found}
    assert len(found) > 0.9 * len(expected)


def _files(interpreter: Interpreter) -> list[Path]:
    """The shared library and extension modules, if they have their debug information."""
    prefix = interpreter.path.parent.parent
    library = next(prefix.glob("lib/libpython3.*.so.1.0"), None)
    if library is None or b".debug_info" not in library.read_bytes():
        return []
    folder = prefix / "lib" / f"python3.{interpreter.version[1]}" / "lib-dynload"
    return [library, *(path for name in MODULES for path in folder.glob(f"{name}.cpython-*.so"))]


def _offsets(layout: Layout) -> dict[str, int]:
    return {
        f"{struct}.{field}": offset
        for struct, entry in layout._structs.items()
        for field, (offset, _) in entry.get("fields", {}).items()
    }


def _ask(files: list[Path], layout: Layout) -> dict[str, int]:
    """Ask gdb for the offset of each field; those of structs that it does not know are left out."""
    lines = [_ANSWER, *(f"add-symbol-file {path}" for path in files[1:])]
    for struct, entry in layout._structs.items():
        lines.append(f"python answer({struct!r}, {list(entry.get('fields', ()))!r})")
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
        script.write("\n".join(lines))
        script.flush()
        command = ["gdb", "-batch", "-nx", "-x", script.name, str(files[0])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    answers = (line.split() for line in done.stdout.splitlines() if line.startswith("@ "))
    return {name: int(offset) for _, name, offset in answers}
