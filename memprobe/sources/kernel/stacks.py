"""From what the kernel saw of a stack to functions, files and lines.

The kernel sends addresses of code objects. They are looked up at once, because code objects are freed and
their memory is used again; the identity that the kernel took of each one tells whether it is still the same.
What has been named once is kept under (address, identity), so that a process that has ended, and
the children of a fork, still have their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memprobe.abi import StackStatus
from memprobe.errors import TargetGone
from memprobe.sources.kernel.identity import read_identities
from memprobe.sources.kernel.records import RawStack
from memprobe.target.cpython.code_objects import CodeObject
from memprobe.target.cpython.python import Python
from memprobe.target.layouts import Layout
from memprobe.vocab import Frame, Stack

NO_PYTHON = Frame("<no Python code>", "", 0)
"""The only frame of a thread that was not running Python code."""

FREED = Frame("<code is gone>", "", 0)
"""Stands for a frame whose code object was freed before it could be read."""

UNNAMED = Stack((FREED,), False)
"""The stack of a process that ended or called exec before it could be looked at."""

CODES_KEPT = 50_000
"""Twice what a large program has; then it starts afresh."""

Key = tuple[int, int]
"""Address and identity of a code object."""


class StackNames:
    """Names the frames of one Python (and of its forked children, which have the same code objects)."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._counts_units = layout.version == (3, 10)
        self._has_interpreter_frames = layout.version >= (3, 11)
        self._codes: dict[Key, CodeObject] = {}

    def resolve(self, stacks: Sequence[RawStack], pythons: Iterable[Python]) -> dict[int, Stack]:
        """Name all stacks, reading what is new in a few batches; what has ended is named from memory.

        The pythons are those that may have the code objects: a child's, and its parent's.
        """
        for python in pythons:
            self._read(_keys(stacks) - self._codes.keys(), python)
        return {stack.stack_id: self._stack(stack) for stack in stacks}

    def _read(self, wanted: set[Key], python: Python) -> None:
        if not wanted:
            return
        try:
            loaded = python.codes.load_anew(address for address, _ in wanted)
            identities = read_identities(python.objects.memory, self._layout, loaded)
        except TargetGone:
            return
        if len(self._codes) + len(wanted) > CODES_KEPT:
            self._codes.clear()
        for address, identity in wanted:
            # The identity is read after the names: if it still holds, so did it before.
            if address in loaded and identities.get(address) == identity:
                self._codes[address, identity] = loaded[address]

    def _stack(self, stack: RawStack) -> Stack:
        if stack.status in (StackStatus.NO_THREAD_STATE, StackStatus.NO_FRAME):
            return Stack((NO_PYTHON,), True)
        frames = (self._frame(*frame) for frame in stack.frames)
        named = tuple(frame for frame in frames if frame is not None)
        return Stack(named, stack.status == StackStatus.COMPLETE and FREED not in named)

    def _frame(self, address: int, instruction: int, identity: int) -> Frame | None:
        """Name one frame; None if it is one that CPython itself does not show."""
        code = self._codes.get((address, identity))
        if code is None:
            return FREED
        if self._has_interpreter_frames:
            if instruction < code.first_traceable:
                return None
            return code.frame(instruction - code.first_instruction)
        position = instruction - (1 << 64) if instruction >> 63 else instruction
        return code.frame(position * 2 if self._counts_units and position >= 0 else position)


def _keys(stacks: Iterable[RawStack]) -> set[Key]:
    return {(code, identity) for stack in stacks for code, _, identity in stack.frames}
