"""Stacks of Python frames, read while the target runs.

A walk follows links that change under it. So every thread is looked at like this:

    1. in one system call: the head, the data stack with most frames, the head again
    2. the walk, over what was read; frames elsewhere (heap, C stack) are read one by one
    3. in one system call: all of it once more, twice

If the head, a link or a caller's position is not what it was, the stack is read again. After a few
attempts the last one is given, marked as not complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from memprobe.target.cpython.code_objects import CodeObject, CodeObjects
from memprobe.target.cpython.data_stacks import DataStacks
from memprobe.target.cpython.frame_designs import RawFrame, frame_design, innermost_frame
from memprobe.target.cpython.objects import Objects, is_pointer
from memprobe.vocab import Frame, Stack

MAXIMUM_FRAMES = 10_000
"""Frames of one stack; CPython's own limit is 1,000 unless the program raises it."""

MAXIMUM_FRAMES_IN_ALL = 500_000
"""Frames that one reading walks over, repetitions included: some 3 s of work."""

ATTEMPTS = 8
"""How often a torn stack is read. A thread in a tight loop of calls needs 2 on average."""

_THREADS_AT_ONCE = 32  # with up to 1 MiB of data stack each
_SUSPICIOUS_ROUNDS = 5


@dataclass(slots=True)
class _Walk:
    """One attempt at the stack of one thread."""

    thread: int

    regions: list[tuple[int, int]] = field(default_factory=list)
    """What is read of it: first the head, then the data stack, then single frames."""

    blocks: list[bytes] = field(default_factory=list)
    """What was read, one for each region."""

    head_count: int = 1
    """How many of the regions are the head: its last word points to the innermost frame."""

    data_count: int = 0
    """How many of the regions are head and data stack; the others are single frames."""

    places: list[tuple[int, int]] = field(default_factory=list)
    """Of each frame, in which block it is and where in it."""

    frames: list[RawFrame] = field(default_factory=list)
    reached_end: bool = False
    is_sound: bool = False
    is_too_long: bool = False

    @property
    def head(self) -> list[bytes]:
        """The words of the head as they were read."""
        return self.blocks[: self.head_count]

    def look(self) -> list[tuple[int, int]]:
        """Head, data stack, and head again: what is read at once."""
        self.data_count = len(self.regions)
        return [*self.regions, *self.regions[: self.head_count]]


class Stacks:
    """Reads the stacks of threads of one target."""

    def __init__(self, objects: Objects, codes: CodeObjects) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._codes = codes
        self._design = frame_design(layout)
        head, self._indirection = innermost_frame(layout)
        self._head_offset = layout.offset(f"PyThreadState.{head}")
        self._data_stacks = DataStacks(self._memory, layout) if layout.version >= (3, 11) else None

    def read(self, threads: Sequence[int]) -> list[Stack]:
        """Read the stacks of threads, given the addresses of their PyThreadState."""
        stacks: list[Stack] = []
        left = MAXIMUM_FRAMES_IN_ALL
        for start in range(0, len(threads), _THREADS_AT_ONCE):
            batch, walked = self._read_batch(threads[start : start + _THREADS_AT_ONCE], left)
            left = max(0, left - walked)
            stacks += batch
        return stacks

    def _read_batch(self, threads: Sequence[int], left: int) -> tuple[list[Stack], int]:
        """Read the stacks of some threads; say also how many frames were walked over."""
        stacks: dict[int, Stack] = {}
        pending = list(dict.fromkeys(threads))
        walked = 0
        for _ in range(ATTEMPTS):
            walks = self._walks(pending, left - walked)
            walked += sum(len(walk.frames) for walk in walks)
            codes = self._codes.load(frame[0] for walk in walks for frame in self._python_frames(walk))
            for walk in walks:
                walk.is_sound = walk.is_sound and self._ends_well(walk, codes)
                stacks[walk.thread] = self._stack(walk, codes)
            torn = (walk for walk in walks if not (walk.is_too_long or stacks[walk.thread].complete))
            pending = [walk.thread for walk in torn]
            if not pending:
                break
        return [stacks[thread] for thread in threads], walked

    def _python_frames(self, walk: _Walk) -> Iterator[RawFrame]:
        return (frame for frame in walk.frames if not self._design.is_shim(frame))

    def _ends_well(self, walk: _Walk, codes: dict[int, CodeObject]) -> bool:
        """Say whether the outermost frame is likely to be the outermost one.

        A generator that is resumed again and again has a caller, none, and the same one again within
        a microsecond; without a caller it looks like the outermost frame. From 3.12 on a shim comes
        below it. Before, it may really be the outermost one, and is looked at more often.
        """
        if self._design.ends_with_shim:
            return not walk.frames or self._design.is_shim(walk.frames[-1])
        outermost = [codes.get(frame[0]) for frame in self._python_frames(walk)][-1:]
        if not any(code is not None and code.is_generator for code in outermost):
            return True
        return all(self._confirm(walk) for _ in range(_SUSPICIOUS_ROUNDS))

    def _stack(self, walk: _Walk, codes: dict[int, CodeObject]) -> Stack:
        """Name the frames of a walk."""
        frames: list[Frame] = []
        complete = walk.is_sound
        for raw in self._python_frames(walk):
            code = codes.get(raw[0])
            if code is None:
                complete = False
                continue
            frame = self._design.frame(raw, code)
            if frame is not None:
                frames.append(frame)
        return Stack(tuple(frames), complete)

    def _walks(self, threads: Sequence[int], left: int) -> list[_Walk]:
        """Take one look at each thread and walk over what was seen."""
        walks = [_Walk(thread) for thread in threads]
        self._find_heads(walks)
        if self._data_stacks is not None:
            for walk, regions in zip(walks, self._data_stacks.regions(threads), strict=True):
                walk.regions += regions
        self._look(walks)
        for walk in walks:
            self._follow(walk, min(MAXIMUM_FRAMES, max(0, left)))
            left -= len(walk.frames)
            walk.is_sound = walk.is_sound and walk.reached_end and self._confirm(walk)
        return walks

    def _find_heads(self, walks: Sequence[_Walk]) -> None:
        """Find the words of each thread that lead to its innermost frame."""
        for walk in walks:
            walk.regions.append((walk.thread + self._head_offset, 8))
        if self._indirection is None:
            return
        blocks = self._memory.read_many([walk.regions[0] for walk in walks])
        for walk, block in zip(walks, blocks, strict=True):
            walk.regions.append((_word(block) + self._indirection, 8))
            walk.head_count = 2

    def _look(self, walks: Sequence[_Walk]) -> None:
        """Read head, data stack and head again of each thread, and see if the head stood still."""
        blocks = iter(self._memory.read_many([region for walk in walks for region in walk.look()]))
        for walk in walks:
            walk.blocks = [next(blocks) for _ in walk.regions]
            after = [next(blocks) for _ in range(walk.head_count)]
            walk.is_sound = after == walk.head and self._is_head(walk)

    def _is_head(self, walk: _Walk) -> bool:
        """Check that a head is complete, and that its first word still points to the second."""
        if any(len(block) != 8 for block in walk.head):
            return False
        return self._indirection is None or _word(walk.head[0]) + self._indirection == walk.regions[1][0]

    def _follow(self, walk: _Walk, limit: int) -> None:
        """Walk from the innermost frame to the outermost one; even a torn stack shows something."""
        address = _word(walk.head[-1])
        seen: set[int] = set()
        while address and len(walk.frames) < limit:
            if address in seen or not is_pointer(address):
                return
            seen.add(address)
            place = self._place(walk, address)
            if place is None:
                return
            walk.places.append(place)
            walk.frames.append(self._frame(walk.blocks, place))
            address = walk.frames[-1][1]
        walk.is_too_long = bool(address)
        walk.reached_end = not address

    def _place(self, walk: _Walk, address: int) -> tuple[int, int] | None:
        """Find a frame in what was read, else read it; return in which block it is, and where."""
        fields = self._design.fields
        for index in range(walk.head_count, walk.data_count):
            start, block = walk.regions[index][0], walk.blocks[index]
            if start <= address and address + fields.end <= start + len(block):
                return index, address - start
        region = (address + fields.start, fields.end - fields.start)
        (block,) = self._memory.read_many([region])
        if len(block) != region[1]:
            return None
        walk.regions.append(region)
        walk.blocks.append(block)
        return len(walk.blocks) - 1, -fields.start

    def _frame(self, blocks: Sequence[bytes], place: tuple[int, int]) -> RawFrame:
        return self._design.raw(self._design.fields.unpack(blocks[place[0]], place[1]))

    def _confirm(self, walk: _Walk) -> bool:
        """Read all again, twice at once; False if it is not the same stack any more."""
        if not walk.frames:
            return True
        blocks = self._memory.read_many([*walk.regions, *walk.regions])
        half = len(walk.regions)
        return self._agrees(walk, blocks[:half]) and self._agrees(walk, blocks[half:])

    def _agrees(self, walk: _Walk, blocks: Sequence[bytes]) -> bool:
        """Compare a walk with what was read later; only the innermost frame may have moved on.

        A caller stands still during its call: if it does not, it is another call.
        """
        if list(blocks[: walk.head_count]) != walk.head:
            return False
        if any(len(block) < len(before) for block, before in zip(blocks, walk.blocks, strict=True)):
            return False
        innermost, *callers = (self._frame(blocks, place) for place in walk.places)
        if innermost[:2] != walk.frames[0][:2] or callers != walk.frames[1:]:
            return False
        walk.frames[0] = innermost
        return True


def _word(block: bytes) -> int:
    return int.from_bytes(block, "little")
