"""Where a task failed: the frames of its exception's traceback, as Task.get_stack() gives them."""

from __future__ import annotations

from memprobe.target.cpython.code_objects import CodeObjects
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.frame_designs import RawFrame, frame_design
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer
from memprobe.vocab import Frame

MAXIMUM_FRAMES = 1_000
"""Frames of one traceback that are read."""


class Tracebacks:
    """Reads tracebacks of one target."""

    def __init__(self, objects: Objects, codes: CodeObjects) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._codes = codes
        self._design = frame_design(layout)
        self._traceback = layout.offset("PyBaseExceptionObject.traceback")
        self._fields = Fields(layout, "PyTracebackObject", "tb_next", "tb_frame")
        inner = "PyFrameObject.f_frame"
        self._inner = layout.offset(inner) if layout.has(inner) else None

    def of_exception(self, address: int) -> tuple[Frame, ...]:
        """The frames of an exception's traceback, the innermost first."""
        try:
            raw = self._follow(int.from_bytes(self._memory.read(address + self._traceback, 8), "little"))
        except UNREADABLE:
            return ()
        codes = self._codes.load(frame[0] for frame in raw)
        named = [self._design.frame(frame, codes[frame[0]]) for frame in raw if frame[0] in codes]
        return tuple(frame for frame in reversed(named) if frame is not None)

    def _follow(self, address: int) -> list[RawFrame]:
        frames: list[RawFrame] = []
        seen: set[int] = set()
        while is_pointer(address) and address not in seen and len(frames) < MAXIMUM_FRAMES:
            seen.add(address)
            following, frame = self._fields.read(self._memory, address)
            if self._inner is not None:
                frame = int.from_bytes(self._memory.read(frame + self._inner, 8), "little")
            frames.append(self._design.raw(self._design.fields.read(self._memory, frame)))
            address = following
        return frames
