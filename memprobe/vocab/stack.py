"""Frames and stacks of Python code."""

from __future__ import annotations

from dataclasses import dataclass


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
    """Innermost first."""

    complete: bool
    """False if the walk ended early: torn while the target ran, or longer than the bound."""
