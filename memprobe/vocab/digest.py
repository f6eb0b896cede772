"""A short number for a text, the same in every run: for names, against no adversary.

`hashlib` brings OpenSSL with it, 3.5 MB that a run has no other use for.
"""

from __future__ import annotations

import zlib


def short_digest(text: str) -> str:
    """Return eight hexadecimal digits."""
    return f"{zlib.crc32(text.encode('utf-8', 'backslashreplace')):08x}"
