"""Frames of suspended coroutines and generators, and what they await.

    3.8, 3.9   a frame object; f_stacktop points behind what it awaits
    3.10       a frame object; f_stackdepth counts
    3.11 -     the frame lies inside the coroutine; stacktop counts, from 3.14 on stackpointer points
    3.15 -     on top of what is awaited lies one more word: nothing, or the index into a list or tuple

Whether the top of the stack is awaited at all says the next instruction (YIELD_FROM to 3.10,
RESUME with 2 or 3 in 3.11 and 3.12), from 3.13 on the state of the frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.frame_designs import RawFrame, frame_design
from memprobe.target.cpython.objects import Objects, is_pointer
from memprobe.target.layouts import Layout

_YIELD_FROM = 72  # opcode.opmap of 3.8, 3.9 and 3.10
# RESUME, and what it becomes: RESUME_QUICK of 3.11, INSTRUMENTED_RESUME of 3.12.
_RESUMES = {(3, 11): (151, 150), (3, 12): (151, 240)}
_RESUMED_FROM_YIELD_FROM = 2  # its argument; 3 is "from await", less is no await
_MAXIMUM_STACK = 1 << 16
# References of 3.14+ carry tags in their two lowest bits; 1 is NULL, both bits mark a number.
_TAGS, _NOTHING, _NUMBER = 3, 1, 3


class Suspended(NamedTuple):
    """The frame of a coroutine that was not running, or just then was."""

    code: int
    """0 if it has ended."""

    raw: RawFrame
    """As the design of the version has it."""

    executing: bool

    awaits: int
    """The object that it awaits, 0 if none."""

    def is_like(self, other: Suspended | None) -> bool:
        """Say whether a second look shows the same; what runs may have moved on."""
        if other is None or self.code != other.code or self.executing != other.executing:
            return False
        return self.executing or (self.raw == other.raw and self.awaits == other.awaits)


class SuspendedFrames(Protocol):
    """Reads the frames of coroutines, generators and async generators."""

    def read(self, generators: Mapping[int, str]) -> dict[int, Suspended]:
        """Read the frames of many, given the kind of each; what cannot be read is left out."""
        ...


ENDED = Suspended(0, (), executing=False, awaits=0)


def suspended_frames(objects: Objects) -> SuspendedFrames:
    """Choose the design of a version."""
    return InnerFrames(objects) if objects.layout.version >= (3, 11) else OuterFrames(objects)


class InnerFrames:
    """CPython 3.11 and later: the frame lies inside the coroutine."""

    def __init__(self, objects: Objects) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._design = frame_design(layout)
        self._version = layout.version
        self._state = Fields(layout, "PyGenObject", "gi_frame_state:signed")
        self._frame = layout.offset("PyGenObject.gi_iframe")
        self._has_pointer = layout.has("_PyInterpreterFrame.stackpointer")
        self._stack = Fields(
            layout, "_PyInterpreterFrame", "stackpointer" if self._has_pointer else "stacktop:signed"
        )
        self._locals = layout.offset("_PyInterpreterFrame.localsplus")
        self._end = self._frame + max(self._design.fields.end, self._stack.end, self._locals)
        self._states = _states(layout)

    def read(self, generators: Mapping[int, str]) -> dict[int, Suspended]:
        """Read state and frame in one batch, what they await in a second one."""
        wanted = list(generators)
        blocks = self._memory.read_many([(address, self._end) for address in wanted])
        found: dict[int, Suspended] = {}
        tops: dict[int, tuple[int, int]] = {}
        for address, block in zip(wanted, blocks, strict=True):
            if len(block) != self._end:
                continue
            state = self._state.unpack(block)[0]
            if state > self._states["executing"]:
                found[address] = ENDED
                continue
            raw = self._design.raw(self._design.fields.unpack(block, self._frame))
            found[address] = Suspended(raw[0], raw, state == self._states["executing"], 0)
            if self._may_await(state):
                top = self._top(address, self._stack.unpack(block, self._frame)[0])
                tops[address] = top, raw[2]
        for address, awaited in self._awaited(tops, generators).items():
            found[address] = found[address]._replace(awaits=awaited)
        return found

    def _may_await(self, state: int) -> bool:
        """Say whether a frame in this state can await something."""
        if self._version >= (3, 13):
            return state == self._states["awaiting"]
        return state == self._states["suspended"]

    def _top(self, address: int, stack: int) -> int:
        """Where the two topmost values of a frame lie."""
        if self._has_pointer:
            return stack - 16
        if not 0 < stack < _MAXIMUM_STACK:
            return 0
        return address + self._frame + self._locals + 8 * (stack - 2)

    def _awaited(self, tops: Mapping[int, tuple[int, int]], kinds: Mapping[int, str]) -> dict[int, int]:
        """Read the topmost values; from 3.13 on the state has told already that they are awaited."""
        regions = [region for top, position in tops.values() for region in ((top, 16), (position + 2, 2))]
        blocks = self._memory.read_many(regions)
        found = {}
        for index, address in enumerate(tops):
            value, instruction = blocks[2 * index], blocks[2 * index + 1]
            awaited = self._choose(value)
            sure = self._version >= (3, 13) or kinds[address] == "coroutine" or self._resumes(instruction)
            if sure and is_pointer(awaited):
                found[address] = awaited
        return found

    def _choose(self, two: bytes) -> int:
        """Which of the two topmost values is awaited."""
        below, top = int.from_bytes(two[:8], "little"), int.from_bytes(two[8:], "little")
        if self._version >= (3, 15) and (top == _NOTHING or top & _TAGS == _NUMBER):
            return below & ~_TAGS
        return top & ~_TAGS

    def _resumes(self, instruction: bytes) -> bool:
        """Say whether the next instruction is the one behind an await."""
        if len(instruction) != 2 or instruction[0] not in _RESUMES[self._version]:
            return False
        return instruction[1] & 3 >= _RESUMED_FROM_YIELD_FROM


class OuterFrames:
    """To CPython 3.10: the coroutine points to a frame object."""

    def __init__(self, objects: Objects) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._design = frame_design(layout)
        self._frame = layout.offset("PyGenObject.gi_frame")
        self._counts = layout.has("PyFrameObject.f_stackdepth")
        names = ("f_stackdepth:signed", "f_state:signed") if self._counts else ("f_stacktop", "f_executing")
        self._stack = Fields(layout, "PyFrameObject", "f_valuestack", *names)
        self._end = max(self._stack.end, self._design.fields.end)
        self._code = layout.offset("PyCodeObject.co_code")
        self._instructions = layout.offset("PyBytesObject.ob_sval")
        self._states = _states(layout) if self._counts else {}

    def read(self, generators: Mapping[int, str]) -> dict[int, Suspended]:
        """Read frames, then what they await, then whether they do."""
        wanted = list(generators)
        pointers = self._memory.read_many([(address + self._frame, 8) for address in wanted])
        frames = {
            address: int.from_bytes(pointer, "little")
            for address, pointer in zip(wanted, pointers, strict=True)
            if len(pointer) == 8
        }
        found = {address: ENDED for address, frame in frames.items() if not frame}
        frames = {address: frame for address, frame in frames.items() if is_pointer(frame)}
        blocks = self._memory.read_many([(frame, self._end) for frame in frames.values()])
        tops: dict[int, int] = {}
        for address, block in zip(frames, blocks, strict=True):
            if len(block) != self._end:
                continue
            raw = self._design.raw(self._design.fields.unpack(block))
            base, top, state = self._stack.unpack(block)
            executing = state == self._states["executing"] if self._counts else bool(state)
            found[address] = Suspended(raw[0], raw, executing, 0)
            top = base + 8 * top if self._counts and 0 < top < _MAXIMUM_STACK else top
            if not executing and raw[2] >= 0 and base < top < base + 8 * _MAXIMUM_STACK:
                tops[address] = top - 8
        for address, awaited in self._awaited(tops, found, generators).items():
            found[address] = found[address]._replace(awaits=awaited)
        return found

    def _awaited(
        self, tops: Mapping[int, int], found: Mapping[int, Suspended], kinds: Mapping[int, str]
    ) -> dict[int, int]:
        """Read the topmost values, and the instructions that tell whether they are awaited."""
        codes = self._memory.read_many([(found[address].code + self._code, 8) for address in tops])
        unit = 2 if self._counts else 1  # f_lasti of 3.10 counts instructions of two bytes
        regions = []
        for (address, top), code in zip(tops.items(), codes, strict=True):
            following = found[address].raw[2] * unit + 2
            regions += [(top, 8), (int.from_bytes(code, "little") + self._instructions + following, 1)]
        blocks = self._memory.read_many(regions)
        awaited = {}
        for index, address in enumerate(tops):
            value = int.from_bytes(blocks[2 * index], "little")
            sure = kinds[address] == "coroutine" or blocks[2 * index + 1] == bytes([_YIELD_FROM])
            if sure and is_pointer(value):
                awaited[address] = value
        return awaited


def _states(layout: Layout) -> dict[str, int]:
    """The numbers of the states of a frame."""
    names = {
        "suspended": "FRAME_SUSPENDED",
        "awaiting": "FRAME_SUSPENDED_YIELD_FROM",
        "executing": "FRAME_EXECUTING",
    }
    return {key: layout.constant(name) for key, name in names.items() if layout.has(name)}
