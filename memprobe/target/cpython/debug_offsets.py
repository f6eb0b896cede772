"""The offsets that CPython 3.13 and later carry at the start of _PyRuntime.

They belong to the very binary that runs, so they win over the table of its minor version. But they
too come from the target's memory, and are looked at before they are believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.target.cpython.objects import UNREADABLE
from memprobe.target.layouts import Layout
from memprobe.vocab import Memory

COOKIE = b"xdebugpy"

_LARGEST_STRUCT = 16 << 20  # PyInterpreterState has 400 kB in 3.12

_STRUCTS = {
    "runtime_state": "_PyRuntimeState",
    "interpreter_state": "PyInterpreterState",
    "thread_state": "PyThreadState",
    "interpreter_frame": "_PyInterpreterFrame",
    "code_object": "PyCodeObject",
    "pyobject": "PyObject",
    "type_object": "PyTypeObject",
    "heap_type_object": "PyHeapTypeObject",
    "tuple_object": "PyTupleObject",
    "list_object": "PyListObject",
    "set_object": "PySetObject",
    "dict_object": "PyDictObject",
    "float_object": "PyFloatObject",
    "long_object": "PyLongObject",
    "bytes_object": "PyBytesObject",
    "unicode_object": "PyUnicodeObject",
    "gc": "_gc_runtime_state",
}
"""What the sections of _Py_DebugOffsets describe."""

_FIELDS = {
    "runtime_state": {"interpreters_head": "interpreters.head"},
    "interpreter_state": {
        "id": "id",
        "next": "next",
        "threads_head": "threads.head",
        "gc": "gc",
        "imports_modules": "imports.modules",
        "sysdict": "sysdict",
        "builtins": "builtins",
        "ceval_gil": "ceval.gil",
    },
    "thread_state": {
        "prev": "prev",
        "next": "next",
        "interp": "interp",
        "current_frame": "current_frame",
        "base_frame": "base_frame",
        "thread_id": "thread_id",
        "native_thread_id": "native_thread_id",
        "datastack_chunk": "datastack_chunk",
        "status": "_status",
        "holds_gil": "holds_gil",
    },
    "interpreter_frame": {
        "previous": "previous",
        "executable": "f_executable",
        "instr_ptr": "instr_ptr",
        "localsplus": "localsplus",
        "owner": "owner",
    },
    "code_object": {
        "filename": "co_filename",
        "name": "co_name",
        "qualname": "co_qualname",
        "linetable": "co_linetable",
        "firstlineno": "co_firstlineno",
        "argcount": "co_argcount",
        "localsplusnames": "co_localsplusnames",
        "localspluskinds": "co_localspluskinds",
        "co_code_adaptive": "co_code_adaptive",
    },
    "pyobject": {"ob_type": "ob_type"},
    "type_object": {
        "tp_name": "tp_name",
        "tp_flags": "tp_flags",
        "tp_basicsize": "tp_basicsize",
        "tp_dictoffset": "tp_dictoffset",
    },
    "heap_type_object": {"ht_cached_keys": "ht_cached_keys"},
    "tuple_object": {"ob_item": "ob_item"},
    "list_object": {"ob_item": "ob_item"},
    "set_object": {"used": "used", "table": "table", "mask": "mask"},
    "dict_object": {"ma_keys": "ma_keys", "ma_values": "ma_values"},
    "float_object": {"ob_fval": "ob_fval"},
    "long_object": {"lv_tag": "long_value.lv_tag", "ob_digit": "long_value.ob_digit"},
    "bytes_object": {"ob_sval": "ob_sval"},
    "gc": {"collecting": "collecting", "generation_stats": "generation_stats"},
}
"""Sections and fields of _Py_DebugOffsets, and what the tables call them."""


@dataclass(frozen=True, slots=True)
class DebugOffsets:
    """What a runtime says about its own layout."""

    hexversion: int

    offsets: dict[str, int]
    """Offsets ("Struct.field") and sizes ("Struct"), under the names of the tables."""

    complaint: str
    """Why they cannot be believed; empty if they can."""


def read_debug_offsets(memory: Memory, layout: Layout, runtime: int) -> DebugOffsets | None:
    """Read the offsets that a runtime carries; None before 3.13, which has none."""
    if not layout.has("_Py_DebugOffsets"):
        return None
    try:
        block = memory.read(runtime, layout.size("_Py_DebugOffsets"))
    except UNREADABLE:
        return DebugOffsets(0, {}, "not readable")
    if not block.startswith(COOKIE):
        return DebugOffsets(0, {}, f"no {COOKIE.decode()} at the start of _PyRuntime")
    offsets = _named(layout, block)
    return DebugOffsets(_word(layout, block, "version"), offsets, _complaint(layout, offsets))


def differences(layout: Layout, offsets: dict[str, int]) -> list[str]:
    """Name what the runtime places elsewhere than the table does."""
    return [
        name
        for name, value in offsets.items()
        if layout.has(name) and value != (layout.offset(name) if "." in name else layout.size(name))
    ]


def _named(layout: Layout, block: bytes) -> dict[str, int]:
    """Translate the fields of this version to the names of the tables."""
    offsets = {}
    for section, fields in _FIELDS.items():
        struct = _STRUCTS[section]
        for theirs, ours in (("size", ""), *fields.items()):
            if layout.has(f"_Py_DebugOffsets.{section}.{theirs}"):
                name = f"{struct}.{ours}" if ours else struct
                offsets[name] = _word(layout, block, f"{section}.{theirs}")
    return offsets


def _complaint(layout: Layout, offsets: dict[str, int]) -> str:
    """Say what is impossible about some offsets, if anything is."""
    for name, value in offsets.items():
        struct, _, field = name.partition(".")
        if not field and not 0 < value <= _LARGEST_STRUCT:
            return f"{struct} would have {value} bytes"
        # Arrays at the end of a struct begin where it ends.
        if field and value > offsets.get(struct, _LARGEST_STRUCT):
            return f"{name} would be at {value}, outside its struct"
    return ""


def _word(layout: Layout, block: bytes, name: str) -> int:
    offset = layout.offset(f"_Py_DebugOffsets.{name}")
    return int.from_bytes(block[offset : offset + 8], "little")
