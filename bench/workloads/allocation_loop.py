"""Allocates all the time: small objects, containers, strings; a window of them lives. Nothing leaks."""

from __future__ import annotations

from collections import deque

from progress import Progress

CHUNK = 200


class Order:
    """A small object with a dictionary or inline values."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines = [number, number + 1, number + 2]
        self.name = f"order {number}"


def main() -> None:
    """One operation is one order with its list, string and tuple."""
    progress = Progress()
    progress.begin()
    alive: deque[Order] = deque(maxlen=5_000)
    number = 0
    while True:
        for number in range(number, number + CHUNK):  # noqa: B020
            alive.append(Order(number))
            tuple(alive[-1].lines)
        progress.operations += CHUNK


main()
