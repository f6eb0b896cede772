"""Where something was made: the part of a stack that names it, whoever called that."""

from __future__ import annotations

from memprobe.vocab.stack import Frame, is_library

DEPTH = 24
"""A stack of nothing but library code is told apart by this many frames."""


def place_of(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return the innermost frames as far as the first that is the program's own.

    The line of the library and the line that called it: what called that does not tell leaks apart.
    """
    for number, frame in enumerate(frames[:DEPTH], 1):
        if not is_library(frame):
            return frames[:number]
    return frames[:DEPTH]
