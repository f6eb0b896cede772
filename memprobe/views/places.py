"""Places in the source, as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from memprobe.views.quantities import UNKNOWN

INSTALLED = re.compile(r"/lib(?:64)?/python3(?:\.[0-9]+)?/|^<|^$")
"""Files of the standard library, of installed packages and of no file: seldom the line that leaks."""


def place(site: Sequence[dict[str, Any]]) -> str:
    """The line of the program; where it called a library for it, the library's line after it."""
    if not site:
        return UNKNOWN
    own = next((frame for frame in site if not INSTALLED.search(frame["file"])), site[0])
    through = "" if own is site[0] else f", by {site[0]['function']}"
    where = f" {own['file']}:{own['line']}" if own["file"] else ""
    return f"{own['function']}{where}{through}"
