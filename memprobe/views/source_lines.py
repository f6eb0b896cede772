"""Lines of the target's source, for those who ask for them.

They are read from this machine, as they are now. Where a file lies is said by the target, so that only what
looks like source is read, wherever a link leads, and only as much as source has.
"""

from __future__ import annotations

import os
import stat
from typing import Any

SUFFIX = ".py"
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
MAX_BYTES, MAX_LINE, MAX_FILES = 4 << 20, 200, 200


def with_source(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with a `source` in every frame of a finding whose line can be read."""
    lines = _Lines()
    findings = [
        one | {"site": [frame | lines.told(frame["file"], frame["line"]) for frame in one["site"]]}
        for one in document["findings"]
    ]
    return document | {"findings": findings}


class _Lines:
    """Files that have been read."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def told(self, file: str, line: int) -> dict[str, str]:
        if file not in self._files and len(self._files) < MAX_FILES:
            self._files[file] = _read(file)
        lines = self._files.get(file, [])
        text = lines[line - 1].strip()[:MAX_LINE] if 0 < line <= len(lines) else ""
        return {"source": text} if text else {}


def _read(name: str) -> list[str]:
    if not (name.startswith("/") and name.endswith(SUFFIX)):
        return []
    try:
        with open(os.open(_followed(name), FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return []
            return file.read(MAX_BYTES).decode("utf-8", "replace").split("\n")
    except (OSError, ValueError):
        return []


def _followed(name: str) -> str:
    """Return where a link leads to; raise ValueError if that is no source."""
    path = os.path.realpath(name)
    if not path.endswith(SUFFIX):
        raise ValueError("a link to something else")
    return path
