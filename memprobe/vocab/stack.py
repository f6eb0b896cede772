"""Frames and stacks of Python code."""

from __future__ import annotations

import re
from dataclasses import dataclass

LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib(?:64)?/python3(?:\.\d+)?/|/python3\d+\.zip/|^<|^$")
"""Files of the standard library, of installed packages, and code without a file."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of Python code."""

    function: str
    """Qualified name where the version stores it (3.11+), else the plain name."""

    file: str
    """The source path as the code object has it."""

    line: int
    """The line being executed; 0 if the code object does not say."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The Python frames of one thread, innermost first."""

    frames: tuple[Frame, ...]
    """Innermost first; in front of them may be the native function that the innermost has called."""

    complete: bool
    """False if the walk ended early: torn while the target ran, or longer than the bound."""


def is_library(frame: Frame) -> bool:
    """Whether a frame is not the program's own code."""
    return LIBRARY.search(frame.file) is not None


def is_standard(frame: Frame) -> bool:
    """Whether a frame is of the standard library."""
    return is_library(frame) and "-packages/" not in frame.file


def is_native(frame: Frame) -> bool:
    """Whether a frame is a function of a native library: its file has no path, and it has no line."""
    return frame.line == 0 and frame.file.startswith("<") and ".so" in frame.file


def python_frames(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The frames without the native one in front of them."""
    return frames[1:] if frames and is_native(frames[0]) else frames


def own_frame(frames: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame that is the program's own code; the innermost of Python if none is."""
    own = next((frame for frame in frames if not is_library(frame)), None)
    return own or next(iter(python_frames(frames)), None)
