"""Where something was made: the part of a stack that names it, whoever called that."""

from __future__ import annotations

import re

from memprobe.vocab.stack import Frame

LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib(?:64)?/python3(?:\.\d+)?/|/python3\d+\.zip/|^<")
"""Files of the standard library, of installed packages, and code without a file."""

DEPTH = 24
"""A stack of nothing but library code is told apart by this many frames."""


def is_library(frame: Frame) -> bool:
    """Whether a frame is not the program's own code."""
    return LIBRARY.search(frame.file) is not None


def own_frame(frames: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame that is the program's own code; the innermost if none is."""
    return next((frame for frame in frames if not is_library(frame)), frames[0] if frames else None)


def place_of(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return the innermost frames as far as the first that is the program's own.

    The line of the library and the line that called it: what called that does not tell leaks apart.
    """
    for number, frame in enumerate(frames[:DEPTH], 1):
        if not is_library(frame):
            return frames[:number]
    return frames[:DEPTH]
