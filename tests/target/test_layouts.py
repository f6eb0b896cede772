"""Layout tables: made from the headers again they are the same, and the interpreters agree with them."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import memprobe.target.layouts as layouts
import pythons
from memprobe.errors import UnknownVersion
from memprobe.target.layouts import MACHINES, VERSIONS, Layout, UnknownField, load_layout, load_variants
from memprobe.target.layouts.document import SCHEMA, difference, make_document, render, unknown_differences
from memprobe.target.layouts.generate import default_compiler, find_headers, make_tables
from pythons import Interpreter, clean_environment
from target.debug_information import compare_with_debug_information
from target.layout_facts import DICTIONARIES, WEAK_REFERENCES

HERE = Path(layouts.__file__).parent
DOCUMENTS = [(machine, version) for machine in MACHINES for version in VERSIONS]


def document(machine: str, version: tuple[int, int]) -> dict[str, Any]:
    """A committed document."""
    found = json.loads((HERE / machine / f"{version[0]}.{version[1]}.json").read_text())
    assert isinstance(found, dict)
    return found


@functools.cache
def header_folders() -> tuple[Path, ...]:
    """The folders with internal headers of the interpreters on this machine."""
    folders = {_include(one).resolve(): None for one in pythons.supported()}
    return tuple(folder for folder in folders if (folder / "internal").is_dir())


def _include(interpreter: Interpreter) -> Path:
    return (
        interpreter.path.parent.parent
        / "include"
        / f"python{interpreter.version[0]}.{interpreter.version[1]}"
    )


def layout_of(interpreter: Interpreter) -> Layout:
    return load_layout(interpreter.version, patch=int(re.split(r"\D+", interpreter.patch)[2]))


# The tables against the headers


@pytest.mark.parametrize("folder", header_folders(), ids=lambda folder: find_headers(folder).version)
@pytest.mark.parametrize("machine", MACHINES)
def test_the_headers_give_what_is_committed(folder: Path, machine: str) -> None:
    compiler = default_compiler(machine)
    if compiler is None:
        pytest.skip(f"no compiler, or no C library headers, for {machine}")
    headers = find_headers(folder)
    major, minor = headers.minor.split(".")
    committed = document(machine, (int(major), int(minor)))
    for table in make_tables(headers, compiler, machine):
        assert unknown_differences(committed, table) == {}


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="only CI must have the headers of all versions")
def test_every_version_was_compared() -> None:
    assert {find_headers(folder).minor for folder in header_folders()} == {
        f"3.{minor}" for _, minor in VERSIONS
    }


# The tables in themselves


@pytest.mark.parametrize(("machine", "version"), DOCUMENTS)
def test_documents_are_in_the_committed_form(machine: str, version: tuple[int, int]) -> None:
    found = document(machine, version)
    assert found["schema"] == SCHEMA
    assert (HERE / machine / f"{found['version']}.json").read_text() == render(found)


@pytest.mark.parametrize(("machine", "version"), DOCUMENTS)
def test_fields_lie_within_their_structs(machine: str, version: tuple[int, int]) -> None:
    for layout in load_variants(version, machine):
        for struct, entry in layout._structs.items():
            for field, (offset, size) in entry.get("fields", {}).items():
                assert 0 <= offset <= offset + size <= layout.size(struct), f"{struct}.{field}"


@pytest.mark.parametrize("version", VERSIONS)
def test_machines_have_the_same_names(version: tuple[int, int]) -> None:
    first, *others = (document(machine, version) for machine in MACHINES)
    for other in others:
        assert _names(first) == _names(other)


def _names(found: dict[str, Any]) -> set[str]:
    fields = {
        f"{struct}.{field}" for struct, entry in found["structs"].items() for field in entry.get("fields", ())
    }
    return {*found["constants"], *found["structs"], *fields}


# Loading


@pytest.mark.parametrize("version", VERSIONS)
def test_loading_is_fast(version: tuple[int, int]) -> None:
    """Some 0.5 ms; bench/startup.py has it exactly."""
    assert min(_time_loading(version) for _ in range(20)) < 0.02


def _time_loading(version: tuple[int, int]) -> float:
    load_variants.cache_clear()
    start = time.perf_counter()
    load_layout(version)
    return time.perf_counter() - start


def test_an_unknown_name_is_named_with_the_version() -> None:
    layout = load_layout((3, 12))
    for lookup in (layout.offset, layout.size, layout.bits):
        with pytest.raises(UnknownField, match=r"CPython 3\.12 has no PyThreadState\.frame "):
            lookup("PyThreadState.frame")
    with pytest.raises(KeyError, match=r"3\.12 has no STATE_LOST"):
        layout.constant("STATE_LOST")
    with pytest.raises(UnknownField, match=r"no PyOldObject"):
        layout.size("PyOldObject")


def test_has_knows_all_kinds_of_names() -> None:
    layout = load_layout((3, 12))
    known = ("PyThreadState", "PyThreadState.next", "PyASCIIObject.state.kind", "FRAME_OWNED_BY_THREAD")
    assert all(layout.has(name) for name in known)
    assert not any(layout.has(name) for name in ("PyThreadState.frame", "PyCStack", "CO_NOFREE", ""))


def test_bits_are_where_the_compiler_puts_them() -> None:
    kind = load_layout((3, 11)).bits("PyASCIIObject.state.kind")
    assert (kind.offset, kind.shift, kind.width, kind.mask) == (32, 2, 3, 7)
    assert kind.extract(0b1010_1100) == 0b011
    must_cancel = load_layout((3, 11)).bits("TaskObj.task_must_cancel")
    assert must_cancel.width == 32  # an int before it became one bit


def test_the_offsets_of_a_process_win() -> None:
    layout = load_layout((3, 14))
    own = layout.with_offsets({"PyThreadState.next": 4096, "PyThreadState": 8192})
    assert (own.offset("PyThreadState.next"), own.size("PyThreadState")) == (4096, 8192)
    assert own.offset("PyThreadState.prev") == layout.offset("PyThreadState.prev")
    assert (layout.source, own.source) == ("table", "table+debug offsets")
    assert layout.offset("PyThreadState.next") != 4096
    again = own.with_offsets({"PyThreadState.prev": 16})
    assert (again.offset("PyThreadState.next"), again.offset("PyThreadState.prev")) == (4096, 16)


@pytest.mark.parametrize(
    ("version", "machine"), [((3, 7), "x86_64"), ((3, 99), "x86_64"), ((3, 12), "s390x")]
)
def test_versions_without_a_table_are_refused(version: tuple[int, int], machine: str) -> None:
    with pytest.raises(UnknownVersion, match=f"{version[0]}.{version[1]} on {machine}"):
        load_layout(version, machine)


# Patch releases


def test_the_next_known_patch_release_comes_first() -> None:
    assert load_layout((3, 14), patch=0).patches == ("3.14.0",)
    assert load_layout((3, 14), patch=2).patches == ("3.14.4",)
    assert "3.14.8" in load_layout((3, 14), patch=5).patches
    assert load_layout((3, 14), patch=1000) is load_layout((3, 14), patch=1000)


def test_the_collector_of_3_14_changed_in_a_patch_release() -> None:
    assert load_layout((3, 14), patch=4).has("_gc_runtime_state.young")
    assert not load_layout((3, 14), patch=4).has("_gc_runtime_state.generations")
    assert load_layout((3, 14), patch=5).has("_gc_runtime_state.generations")


def test_alignment_of_3_13_has_both_variants() -> None:
    first_ones = {
        layout.offset("_gc_runtime_state.generations") for layout in load_variants((3, 13), patch=15)[:2]
    }
    assert first_ones == {20, 24}


def test_documents_fold_what_is_the_same() -> None:
    old = {"constants": {"A": 1, "B": 2}, "structs": {"S": {"size": 8, "fields": {"x": [0, 8]}}}}
    new = {"constants": {"A": 1, "C": 3}, "structs": {"S": {"size": 16, "fields": {"x": [8, 8]}}}}
    folded = make_document("x86_64", [("3.9.7", new), ("3.9.6", old), ("3.9.5", new), ("3.9.4", old)])
    assert folded["patches"] == ["3.9.7", "3.9.5"]
    assert [variant["patches"] for variant in folded["variants"]] == [["3.9.6", "3.9.4"]]
    assert difference(new, old)["constants"] == {"B": 2, "C": None}
    assert unknown_differences(folded, old) == unknown_differences(folded, new) == {}
    older = {**old, "constants": {"A": 0}}
    assert unknown_differences(folded, older)["constants"] == {"A": 0, "C": None}
    first, second = Layout(folded, folded), Layout(folded, folded["variants"][0])
    assert (first.offset("S.x"), second.offset("S.x"), second.size("S")) == (8, 0, 8)
    assert (second.constant("B"), second.has("C")) == (2, False)


# The tables against the interpreters


@pytest.fixture(scope="module")
def told(interpreter: Interpreter, targets: Path) -> dict[str, Any]:
    """What the interpreter says about its own types."""
    masks = {name: value for name, value in layout_of(interpreter)._constants.items() if "TPFLAGS" in name}
    command = interpreter.command(interpreter.path_inside(targets / "type_facts.py"), json.dumps(masks))
    done = subprocess.run(command, env=clean_environment(), stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_sizes_are_those_of_the_types(interpreter: Interpreter, told: dict[str, Any]) -> None:
    layout = layout_of(interpreter)
    compared = {name: size for name, size in told["sizes"].items() if layout.has(name)}
    assert {name: layout.size(name) for name in compared} == compared
    assert len(compared) > 80


def test_offsets_are_those_of_the_types(interpreter: Interpreter, told: dict[str, Any]) -> None:
    layout = layout_of(interpreter)
    for fields, offsets in ((DICTIONARIES, told["dictionaries"]), (WEAK_REFERENCES, told["weakrefs"])):
        named = {f"{struct}.{field}": offsets.get(struct, 0) for struct, field in fields.items()}
        compared = {name: offset for name, offset in named.items() if layout.has(name) and offset > 0}
        assert {name: layout.offset(name) for name in compared} == compared
        assert len(compared) > 10


def test_heads_are_those_of_the_types(interpreter: Interpreter, told: dict[str, Any]) -> None:
    layout = layout_of(interpreter)
    heads = told["heads"]
    assert layout.offset("PyTupleObject.ob_item") == heads["PyTupleObject.ob_item"]
    assert layout.offset("PyBytesObject.ob_sval") == heads["PyBytesObject.ob_sval"]
    assert layout.offset("PyMemoryViewObject.ob_array") == heads["PyMemoryViewObject.ob_array"]
    digits = "PyLongObject.ob_digit" if interpreter.version < (3, 12) else "PyLongObject.long_value.ob_digit"
    assert layout.offset(digits) == heads["integer"]


def test_code_frames_and_generators_end_where_the_types_say(
    interpreter: Interpreter, told: dict[str, Any]
) -> None:
    layout = layout_of(interpreter)
    heads = told["heads"]
    if interpreter.version < (3, 11):
        assert layout.size("PyFrameObject") == heads["frame"]
        assert layout.size("PyCodeObject") == heads["code"]
        assert layout.size("PyGenObject") == heads["generator"]
        return
    assert layout.offset("PyCodeObject.co_code_adaptive") == heads["code"]
    locals_start = layout.offset("_PyInterpreterFrame.localsplus")
    assert layout.offset("PyFrameObject._f_frame_data") + locals_start == heads["frame"]
    for kind, field in (("generator", "gi"), ("coroutine", "cr"), ("async generator", "ag")):
        struct = {"gi": "PyGenObject", "cr": "PyCoroObject", "ag": "PyAsyncGenObject"}[field]
        assert layout.offset(f"{struct}.{field}_iframe") + locals_start == heads[kind]


def test_sizes_of_objects_add_up(interpreter: Interpreter, told: dict[str, Any]) -> None:
    layout = layout_of(interpreter)
    head = layout.size("PyGC_Head")
    digit = layout.constant("sizeof(digit)")
    assert told["objects"] == {
        "list": layout.size("PyListObject") + head,
        "ascii": layout.size("PyASCIIObject") + 2,
        "latin": layout.size("PyCompactUnicodeObject") + 3,
        "digits": (300 // 30 - 30 // 30) * digit,
        "empty set": layout.size("PySetObject") + head,
    }
    assert layout.size("setentry") * layout.constant("PySet_MINSIZE") == layout.size("PySetObject.smalltable")


def test_constants_are_those_of_the_interpreter(interpreter: Interpreter, told: dict[str, Any]) -> None:
    layout = layout_of(interpreter)
    assert layout.constant("PyLong_SHIFT") == told["bits_per_digit"]
    assert layout.constant("sizeof(digit)") == told["sizeof_digit"]
    flags = {name: found for name, found in told["flags"].items() if layout.has(name)}
    assert all(flags.values()), flags
    assert len(flags) >= 10


def test_debug_information_agrees(interpreter: Interpreter) -> None:
    compare_with_debug_information(interpreter, layout_of(interpreter))
