"""The two designs of Python frames.

To 3.10 a frame is an object on the heap (PyFrameObject). From 3.11 on it is a _PyInterpreterFrame,
which lies in the thread's data stack, inside a generator, or (entry shims) on the C stack.
What is common: a head in the thread state, a link to the caller, a code object and a position.
"""

from __future__ import annotations

from typing import Protocol

from memprobe.target.cpython.code_objects import CodeObject
from memprobe.target.cpython.fields import Fields
from memprobe.target.layouts import Layout
from memprobe.vocab import Frame

RawFrame = tuple[int, ...]
"""Code object, caller's frame, then what the design needs to find the line."""

_FRAME_OWNED_BY_GENERATOR = 1
# 3 is CSTACK in 3.12 and 3.13, INTERPRETER from 3.14 on, where CSTACK is 4: never Python code.
_FIRST_SHIM_OWNER = 3
# References of 3.14+ carry tags in their two lowest bits; before, both bits are 0 anyway.
_TAGS = 3


class FrameDesign(Protocol):
    """What a walk over frames needs to know of the version."""

    fields: Fields
    """Code object and link first."""

    ends_with_shim: bool
    """Whether the outermost frame is always one that the interpreter put there to enter from C."""

    def raw(self, values: tuple[int, ...]) -> RawFrame:
        """Clean what the fields gave."""
        ...

    def is_shim(self, frame: RawFrame) -> bool:
        """Say whether this frame never stands for Python code."""
        ...

    def frame(self, frame: RawFrame, code: CodeObject) -> Frame | None:
        """Name function, file and line; None for a frame that has not begun."""
        ...


class FrameObjects:
    """PyFrameObject: CPython 3.8 to 3.10."""

    def __init__(self, layout: Layout) -> None:
        names = ("f_code", "f_back", "f_lasti:signed", "f_lineno:signed", "f_trace")
        self.fields = Fields(layout, "PyFrameObject", *names)
        self.ends_with_shim = False
        self._counts_units = layout.version == (3, 10)

    def raw(self, values: tuple[int, ...]) -> RawFrame:
        """Keep everything as it is."""
        return values

    def is_shim(self, frame: RawFrame) -> bool:
        """Say no: there are none."""
        return False

    def frame(self, frame: RawFrame, code: CodeObject) -> Frame | None:
        """Take f_lineno while the frame is traced, else the position."""
        _, _, position, line, trace = frame
        # 3.10 sets f_lineno only while it counts; before, it counts while there is a trace function.
        if line if self._counts_units else trace:
            return code.frame_at_line(line)
        return code.frame(position * 2 if self._counts_units and position >= 0 else position)


class InterpreterFrames:
    """_PyInterpreterFrame: CPython 3.11 and later."""

    def __init__(self, layout: Layout) -> None:
        code = "f_executable" if layout.version >= (3, 13) else "f_code"
        position = "instr_ptr" if layout.version >= (3, 13) else "prev_instr"
        self.fields = Fields(layout, "_PyInterpreterFrame", code, "previous", position, "owner")
        self.ends_with_shim = layout.version >= (3, 12)

    def raw(self, values: tuple[int, ...]) -> RawFrame:
        """Take the tags off the reference to the code object."""
        return values[0] & ~_TAGS, *values[1:]

    def is_shim(self, frame: RawFrame) -> bool:
        """Say whether the interpreter put the frame there to enter from C."""
        return frame[3] >= _FIRST_SHIM_OWNER

    def frame(self, frame: RawFrame, code: CodeObject) -> Frame | None:
        """Leave out what CPython calls incomplete: it has not reached its first traceable instruction."""
        _, _, position, owner = frame
        if owner != _FRAME_OWNED_BY_GENERATOR and position < code.first_traceable:
            return None
        return code.frame(max(-1, position - code.first_instruction))


def innermost_frame(layout: Layout) -> tuple[str, int | None]:
    """Return the field of PyThreadState that leads to the innermost frame, and an offset.

    With an offset the field points to a struct on the C stack (3.11 and 3.12), which has the
    innermost frame there.
    """
    if layout.version >= (3, 13):
        return "current_frame", None
    if layout.version >= (3, 11):
        return "cframe", layout.offset("_PyCFrame.current_frame")
    return "frame", None


def frame_design(layout: Layout) -> FrameDesign:
    """Choose the design of a version."""
    return InterpreterFrames(layout) if layout.version >= (3, 11) else FrameObjects(layout)
