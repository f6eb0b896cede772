"""What many open descriptors point to, in a few words: "/tmp/*.part", "10.0.0.9:5432"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from posixpath import splitext

NUMBERED = re.compile(r"[a-z_]+:(?:\[|inode)")
"""What has no name but a number: pipe:[4711]."""

NAMED = 3
"""So many are told, the most frequent."""

LEAST_SHARE = 0.05
"""What fewer point to is not worth a word."""

_DELETED = " (deleted)"

Target = tuple[str, float]
"""What they point to, and the share of them that do."""


def targets_of(texts: Iterable[str]) -> tuple[Target, ...]:
    """Return what descriptors point to, most first: what is different in the name alone is one target."""
    counts = Counter(text for text in texts if text and not NUMBERED.match(text))
    total = counts.total()
    groups: Counter[str] = Counter()
    for text, count in counts.items():
        groups[text if count > 1 else _pattern(text)] += count
    shares = ((target, count / total) for target, count in groups.most_common(NAMED))
    return tuple((target, share) for target, share in shares if share >= LEAST_SHARE)


def _pattern(text: str) -> str:
    """Return the folder and the extension of a file, or the peer of a connection."""
    if text.startswith("/"):
        is_deleted = text.endswith(_DELETED)
        folder, _, name = text.removesuffix(_DELETED).rpartition("/")
        return f"{folder}/*{splitext(name)[1]}{_DELETED if is_deleted else ''}"
    protocol, _, ends = text.partition(" ")
    _, arrow, peer = ends.rpartition("-> ")
    return f"{protocol} {peer}" if arrow else text
