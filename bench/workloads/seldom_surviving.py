"""Of 10,000 objects of one size one stays, made in another line than the 50 whose objects die at once."""

import sys


class Node:
    """One object of 32 bytes, or 48 with the collector's header."""

    __slots__ = ("other", "value")


KEPT: list["Node"] = []
EVERY = 200
"""Rounds of 50."""


def churning() -> None:
    """Make objects in 50 lines."""
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()
    Node()


def surviving() -> None:
    """Make one that stays."""
    KEPT.append(Node())  # known line


with open(__file__) as file:
    known = next(number for number, line in enumerate(file, 1) if "# known line" in line)
print("ready", known, flush=True)
while True:
    for _ in range(EVERY):
        churning()
    surviving()
    if len(KEPT) > 1_000_000:
        sys.exit("long enough")
