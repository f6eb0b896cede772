"""The right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 100
"""Letters of a wrong name that are compared."""


def nearest(wrong: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name that a wrong one is most like; None if it is like none."""
    import difflib

    names = list(names)
    if same := [name for name in names if name.lower() == wrong.lower()]:
        return same[0]
    found = difflib.get_close_matches(wrong[:LONGEST], names, n=1, cutoff=cutoff)
    return found[0] if found else None


def remedy(wrong: str, names: Iterable[str]) -> str:
    """Return what to write instead of a wrong name."""
    names = list(names)
    found = nearest(wrong, names)
    return f"write {found}" if found else f"there are {', '.join(names)}"
