"""What the kernel's stack walk needs to know about one version of CPython."""

from __future__ import annotations

import struct

from memprobe.target.layouts import Layout

NO_OFFSET = 0xFFFFFFFF
_INTERPRETER_FRAME = 1
_CFRAME = 2
_FORMAT = struct.Struct("<16I8Q")
_ALL_BITS = 2**64 - 1


class UnsuitableLayout(ValueError):
    """The fields of a layout do not lie as the kernel's walk reads them."""


def fill_layout(layout: Layout) -> bytes:
    """Return the `struct python_layout` of abi.h for a layout table.

    The walk reads neighbouring fields at once; a layout in which they are no neighbours is refused.
    """
    place, flags, cframe = _current_frame(layout)
    code, previous = _code_and_previous(layout)
    first = min(code, previous)
    instruction, owner = _instruction_and_owner(layout)
    return _FORMAT.pack(
        flags,
        layout.offset("_PyRuntimeState.interpreters.head"),
        _offset_or_none(layout, "_PyRuntimeState.gilstate.tstate_current"),
        layout.offset("PyInterpreterState.next"),
        _first_offset(layout, "PyInterpreterState.threads.head", "PyInterpreterState.tstate_head"),
        _links_of_thread(layout),
        layout.offset("PyThreadState.thread_id"),
        place,
        cframe,
        first,
        instruction,
        0 if owner is None else owner % 8 * 8,
        _shim_owner(layout),
        *identity_offsets(layout),
        *_word_masks(code - first, _ALL_BITS ^ 3 if layout.version >= (3, 14) else _ALL_BITS),
        *_word_masks(previous - first, _ALL_BITS),
        *_owner_masks(owner),
    )


def _links_of_thread(layout: Layout) -> int:
    first = layout.offset("PyThreadState.prev")
    others = [layout.offset(f"PyThreadState.{name}") for name in ("next", "interp")]
    _require(others == [first + 8, first + 16], "PyThreadState.prev, next and interp are not neighbours")
    return first


def _current_frame(layout: Layout) -> tuple[int, int, int]:
    if layout.version < (3, 11):
        return layout.offset("PyThreadState.frame"), 0, NO_OFFSET
    if layout.has("PyThreadState.current_frame"):
        return layout.offset("PyThreadState.current_frame"), _INTERPRETER_FRAME, NO_OFFSET
    cframe = layout.offset("_PyCFrame.current_frame")
    return layout.offset("PyThreadState.cframe"), _INTERPRETER_FRAME | _CFRAME, cframe


def _code_and_previous(layout: Layout) -> tuple[int, int]:
    if layout.version < (3, 11):
        return layout.offset("PyFrameObject.f_code"), layout.offset("PyFrameObject.f_back")
    code = _first_offset(layout, "_PyInterpreterFrame.f_executable", "_PyInterpreterFrame.f_code")
    return code, layout.offset("_PyInterpreterFrame.previous")


def _instruction_and_owner(layout: Layout) -> tuple[int, int | None]:
    """Return where the instruction is, and where the owner is after the word of the instruction."""
    if layout.version < (3, 11):
        return layout.offset("PyFrameObject.f_lasti"), None
    instruction = _first_offset(layout, "_PyInterpreterFrame.instr_ptr", "_PyInterpreterFrame.prev_instr")
    return instruction, layout.offset("_PyInterpreterFrame.owner") - instruction - 8


def _word_masks(distance: int, mask: int) -> list[int]:
    word, rest = divmod(distance, 8)
    _require(0 <= word < 3 and not rest, "a frame's code object and its predecessor are too far apart")
    return [mask if index == word else 0 for index in range(3)]


def _owner_masks(owner: int | None) -> list[int]:
    if owner is None:
        return [0, 0]
    _require(0 <= owner < 16, "_PyInterpreterFrame.owner is too far from the instruction")
    return [0xFF << owner % 8 * 8 if owner // 8 == word else 0 for word in range(2)]


def _shim_owner(layout: Layout) -> int:
    for name in ("FRAME_OWNED_BY_INTERPRETER", "FRAME_OWNED_BY_CSTACK"):
        if layout.has(name):
            return layout.constant(name)
    return 256  # 3.11 has no shims, and no byte is as large as that


def identity_offsets(layout: Layout) -> tuple[int, int, int]:
    """Return where the words lie that tell a code object from another one at the same address.

    From 3.12 on co_version is a number that no other code object had. Before, the pointers to its names (the
    second is co_name) and its first line are the best there is; and, in the name, its hash.
    """
    if layout.version >= (3, 12):
        return layout.offset("PyCodeObject.co_version") - 4, NO_OFFSET, NO_OFFSET
    first = layout.offset("PyCodeObject.co_name") - 8
    return first, layout.offset("PyCodeObject.co_firstlineno"), layout.offset("PyASCIIObject.hash")


def _offset_or_none(layout: Layout, name: str) -> int:
    return layout.offset(name) if layout.has(name) else NO_OFFSET


def _first_offset(layout: Layout, *names: str) -> int:
    for name in names[:-1]:
        if layout.has(name):
            return layout.offset(name)
    return layout.offset(names[-1])


def _require(held: bool, what: str) -> None:
    if not held:
        raise UnsuitableLayout(what)
