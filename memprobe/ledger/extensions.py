"""Extensions of many paths at once: up to eight letters, as the bytes of one number."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.uint64]

NOT_NAMED = (1 << 64) - 1
"""The extension of what was not looked at, because there was too much."""

LETTERS = 8
DELETED = np.frombuffer(b" (deleted)", np.uint8)
"""What the kernel puts behind the path of a file without a name."""

_TAIL = LETTERS + 2
"""The extension, its dot, and what stands before that."""

_DOT, _SLASH = ord("."), ord("/")
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[ord("A") : ord("Z") + 1] += 32
_IS_LETTER = np.zeros(256, bool)
_IS_LETTER[ord("a") : ord("z") + 1] = True
_MAY_FOLLOW = _IS_LETTER.copy()
_MAY_FOLLOW[[ord(character) for character in "0123456789_-"]] = True


def extensions(source: Bytes, starts: Numbers, lengths: Numbers) -> Codes:
    """Return the extension of each path, in lower case; 0 where there is none, or a longer one."""
    if not len(source):
        return np.zeros(len(starts), np.uint64)
    tail = _tails(source, starts, starts + lengths - _deleted(source, starts, lengths))
    dot = _TAIL - 1 - np.argmax(tail[:, ::-1] == _DOT, axis=1)  # the last one, or the last letter
    told = (dot > 0) & (dot < _TAIL - 1) & _follow_each(tail, dot)
    rows = np.arange(len(tail))
    before, first = tail[rows, dot - 1], tail[rows, np.minimum(dot + 1, _TAIL - 1)]
    told &= (tail[rows, dot] == _DOT) & (before != _SLASH) & (before != _DOT) & _IS_LETTER[first]
    moved = np.concatenate((tail, np.zeros((len(tail), 1), np.uint8)), axis=1)
    letters = np.take_along_axis(moved, np.minimum(dot[:, None] + 1 + np.arange(LETTERS), _TAIL), axis=1)
    return np.where(told, np.ascontiguousarray(letters).view("<u8").ravel(), np.uint64(0))


def extension_text(code: int) -> str:
    """Return an extension with its dot; "" for none."""
    return "." + code.to_bytes(LETTERS, "little").rstrip(b"\0").decode("ascii", "replace") if code else ""


def _follow_each(tail: Bytes, dot: Numbers) -> npt.NDArray[np.bool_]:
    """Tell where all that follows the dot may be in an extension."""
    may: npt.NDArray[np.bool_] = _MAY_FOLLOW[tail] | (np.arange(_TAIL) <= dot[:, None])
    return np.asarray(may.all(axis=1))


def _tails(source: Bytes, starts: Numbers, ends: Numbers) -> Bytes:
    """Return the last letters of each path; before its beginning there are slashes."""
    places = ends[:, None] + np.arange(-_TAIL, 0)
    inside = places >= starts[:, None]
    return np.where(inside, _LOWER[source[np.where(inside, places, 0)]], np.uint8(_SLASH))


def _deleted(source: Bytes, starts: Numbers, lengths: Numbers) -> Numbers:
    """Return how many letters at the end of each say that the file has no name any more."""
    size = len(DELETED)
    left_off = np.zeros(len(starts), np.int64)
    likely = np.flatnonzero(lengths > size)
    likely = likely[source[starts[likely] + lengths[likely] - 1] == DELETED[-1]]
    ends = (starts + lengths)[likely]
    left_off[likely] = size * (source[ends[:, None] + np.arange(-size, 0)] == DELETED).all(axis=1)
    return left_off
