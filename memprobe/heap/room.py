"""How much memory the arrays of a graph may take before they lie in files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from memprobe.native import _heap
from memprobe.target.proc.procfs import available_bytes

SHARE = 4
"""One part in so many of the memory that is available: the target may need the rest."""

LEAST, MOST = 64 << 20, 4 << 30
UNKNOWN = 1 << 30
"""Where the machine does not say what is available."""

NO_LIMIT = 2**63
LONGEST_NAME = 200


def limit_memory() -> None:
    """Let arrays beyond a quarter of the available memory lie in files without a name, if that can be."""
    folder = next(_folders(), None)
    if folder is None:
        _heap.set_memory_limit(NO_LIMIT, "/var/tmp")
    else:
        _heap.set_memory_limit(limit_of(available_bytes()), folder)


def limit_of(available: int | None) -> int:
    """Return how much the arrays may have of the memory that is available."""
    return UNKNOWN if available is None else min(max(available // SHARE, LEAST), MOST)


def _folders() -> Iterator[str]:
    """Where files can be made; /tmp last, which often is memory itself."""
    for folder in (os.environ.get("TMPDIR", ""), "/var/tmp", tempfile.gettempdir()):
        if folder and len(os.fsencode(folder)) <= LONGEST_NAME and os.access(folder, os.W_OK | os.X_OK):
            yield folder
