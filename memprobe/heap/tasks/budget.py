"""What one look may spend on one kind of thing: a target can claim to have any number of them."""

from __future__ import annotations


class Budget:
    """A number that is used up; who asks for more gets what is left."""

    __slots__ = ("left",)

    def __init__(self, total: int) -> None:
        self.left = total

    def take(self, wanted: int) -> int:
        """Take up to so many; return how many there were."""
        taken = min(max(0, wanted), self.left)
        self.left -= taken
        return taken
