"""What is left of the references that lines take when those that are given back are put against them.

A call gives back what it took itself, or leaves that to the line that called it: a frame that ends drops its
variables below the call. So what is given back is put against what was taken by the same line, called the
same way; then against what was taken below it, from that very line; and so on outwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memprobe.vocab.stack import Frame

Path = tuple[Frame, ...]
"""Frames, innermost first."""


def kept(stacks: Sequence[tuple[Path, int, int]]) -> list[float]:
    """Return of each stack (frames, taken, returned) how much it took and nobody gave back."""
    taken, returned = [float(one) for _, one, _ in stacks], [float(one) for _, _, one in stacks]
    depth = max((len(path) for path, _, _ in stacks), default=0)
    for below in range(depth, 0, -1):
        for places in _called_alike([path for path, _, _ in stacks], below):
            gone = min(sum(taken[place] for place in places), sum(returned[place] for place in places))
            for amounts in (taken, returned):
                whole = sum(amounts[place] for place in places)
                for place in places:
                    amounts[place] *= 1 - gone / whole if whole else 1
    return taken


def _called_alike(paths: Sequence[Path], depth: int) -> Iterator[list[int]]:
    """The stacks whose outermost frames are the same lines, group by group."""
    groups: dict[Path, list[int]] = {}
    for place, path in enumerate(paths):
        if len(path) >= depth:
            groups.setdefault(path[len(path) - depth :], []).append(place)
    yield from groups.values()
