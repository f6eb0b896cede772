"""What is left of what stacks add when what the same calls remove again is put against it.

A line that puts in 300 a second and another that takes them out again are no leak if one call does both;
the line that puts in 6 is. Sizes do not tell which entry went, but who takes out what he has put in mostly
does so in the same call. So removals are put against additions below the innermost call that has both, then
below the one that called it, and so on, to the outermost function of the thread.

References are told apart by line: a frame that ends gives back below the call what was taken in the call.
"""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.vocab.stack import Frame

Amounts = tuple[float, float]
"""Added, removed."""


def left_over(stacks: Sequence[tuple[tuple[Frame, ...], Amounts]], *, by_line: bool = False) -> list[float]:
    """Return of each stack (innermost frame first) how much of what it adds is not removed again.

    Calls are the same if their functions are, or their lines with `by_line`.
    """
    paths = _paths([frames for frames, _ in stacks], by_line=by_line)
    added, removed = [one for _, (one, _) in stacks], [one for _, (_, one) in stacks]
    for depth in range(max(map(len, paths), default=0), 0, -1):
        calls: dict[int, list[int]] = {}
        for place, path in enumerate(paths):
            if len(path) >= depth:
                calls.setdefault(path[depth - 1], []).append(place)
        for places in calls.values():
            _cancel(places, added, removed)
    return added


def _paths(stacks: Sequence[tuple[Frame, ...]], *, by_line: bool) -> list[list[int]]:
    """Return each stack as numbers, outermost first: the same for the same calls, made the same way."""
    numbers: dict[tuple[int, str, str, int], int] = {}
    paths = []
    for frames in stacks:
        path = [0]
        for frame in reversed(frames):
            call = (path[-1], frame.file, frame.function, frame.line if by_line else 0)
            path.append(numbers.setdefault(call, len(numbers) + 1))
        paths.append(path[1:])
    return paths


def _cancel(places: Sequence[int], added: list[float], removed: list[float]) -> None:
    """Put removals against additions, in proportion."""
    gone = min(sum(added[place] for place in places), sum(removed[place] for place in places))
    if gone > 0:
        for amounts in (added, removed):
            kept = 1 - gone / sum(amounts[place] for place in places)
            for place in places:
                amounts[place] *= kept
