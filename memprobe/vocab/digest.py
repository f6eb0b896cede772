"""A short number for a text, the same in every run: for names, against no adversary.

`hashlib` brings OpenSSL with it, 3.5 MB that a run has no other use for: its BLAKE2 is there without.
"""

from __future__ import annotations

import zlib

try:
    from _blake2 import blake2b
except ImportError:  # a Python that was configured without digests of its own
    from hashlib import blake2b

__all__ = ["blake2b", "short_digest"]


def short_digest(text: str) -> str:
    """Return eight hexadecimal digits."""
    return f"{zlib.crc32(text.encode('utf-8', 'backslashreplace')):08x}"
