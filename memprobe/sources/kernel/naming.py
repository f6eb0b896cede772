"""New stacks of several processes, named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from memprobe.sources.kernel.followed import Followed
from memprobe.sources.kernel.records import RawStack
from memprobe.sources.kernel.stacks import UNNAMED
from memprobe.vocab import Frame, Stack


def resolve(stacks: Iterable[RawStack], followed: Mapping[int, Followed]) -> dict[int, Stack]:
    """Name stacks, process by process.

    One that nobody can name any more is known all the same, so that every id has its stack.
    """
    by_pid: dict[int, list[RawStack]] = {}
    named = {}
    for stack in stacks:
        by_pid.setdefault(stack.pid, []).append(stack)
        named[stack.stack_id] = UNNAMED
    for pid, own in by_pid.items():
        one = followed.get(pid)
        if one is not None and one.names is not None:
            named |= one.names.resolve(own, one.pythons)
            for stack in own:
                named[stack.stack_id] = _with_native(named[stack.stack_id], one.native_frame(stack.native))
    return named


def _with_native(stack: Stack, native: Frame | None) -> Stack:
    return stack if native is None else Stack((native, *stack.frames), stack.complete)
