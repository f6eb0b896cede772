"""Which CPython a runtime is, told by the binary and not by the name of the file.

3.13 and later say it at the start of _PyRuntime, 3.11 and later in the constant Py_Version;
before that the version is a string among the constants of the binary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.target.binary.elf import PF_W, PF_X, Binary
from memprobe.vocab import Memory

DEBUG_OFFSETS_COOKIE = b"xdebugpy"
CONSTANTS_LIMIT = 64 << 20
"""Bytes of constants that are searched; libpython has 1 to 2 MiB of them."""

CHUNK = 1 << 20
OVERLAP = 32

_STRING = re.compile(rb"3\.([0-9]{1,2})\.([0-9]{1,2})(?:(a|b|rc)([0-9]{1,2}))?\+?\0")
"""Starts with literal letters: that makes the search ten times faster."""

_STRING_OF_2 = re.compile(rb"2\.([67])\.([0-9]{1,2})()()\+?\0")
_NAME = re.compile(r"python-?([23])\.([0-9]{1,2})(?![0-9])")
_NUMBERS = frozenset(b"%c" % letter for letter in b"0123456789.")
_FREE_THREADED = re.compile(r"python-?3\.[0-9]{1,2}d?t")
_LEVELS = {b"": 0xF, b"a": 0xA, b"b": 0xB, b"rc": 0xC}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of CPython, as exactly as it could be told."""

    minor: tuple[int, int] | None
    """Such as (3, 11); None if nothing told it."""

    hexversion: int | None
    """As sys.hexversion has it; None if only the minor version is known."""

    free_threaded: bool
    """Built without the global interpreter lock."""

    @property
    def text(self) -> str:
        """Such as "3.11.7", "3.15.0b1" or "3.8"."""
        if self.hexversion is not None:
            return version_text(self.hexversion)
        return "unknown" if self.minor is None else f"{self.minor[0]}.{self.minor[1]}"


def version_text(hexversion: int) -> str:
    """Write sys.hexversion the way people write versions."""
    major, minor, micro = (hexversion >> shift & 0xFF for shift in (24, 16, 8))
    level = {0xA: "a", 0xB: "b", 0xC: "rc"}.get(hexversion >> 4 & 0xF, "")
    serial = str(hexversion & 0xF) if level else ""
    return f"{major}.{minor}.{micro}{level}{serial}"


def runtime_version(elf: Binary, memory: Memory, address: int, names: tuple[str, ...]) -> Version:
    """Tell the version of the runtime at `address`; `names` are of files, the last resort."""
    head = memory.read_many([(address, 24)])[0]
    if len(head) == 24 and head.startswith(DEBUG_OFFSETS_COOKIE):
        hexversion = int.from_bytes(head[8:16], "little") & 0xFFFFFFFF
        return _exact(hexversion, free_threaded=head[16:24] != bytes(8))
    return binary_version(elf, names)


def binary_version(elf: Binary, names: tuple[str, ...]) -> Version:
    """Tell the version of a binary alone."""
    free_threaded = any(map(_FREE_THREADED.search, names))
    symbol = elf.symbol("Py_Version")
    raw = elf.read_virtual(symbol.address, 8) if symbol else b""
    hexversion = int.from_bytes(raw, "little")
    if 0x03000000 <= hexversion <= 0xFFFFFFFF:
        return _exact(hexversion, free_threaded)
    named = name_version(names)
    found = _string_version(elf, named)
    return Version(named, None, free_threaded) if found is None else _exact(found, free_threaded)


def name_version(names: tuple[str, ...]) -> tuple[int, int] | None:
    """Read a minor version out of names such as libpython3.8.so.1.0."""
    matches = (_NAME.search(name) for name in names)
    return next(((int(match[1]), int(match[2])) for match in matches if match), None)


def _exact(hexversion: int, free_threaded: bool) -> Version:
    return Version((hexversion >> 24 & 0xFF, hexversion >> 16 & 0xFF), hexversion, free_threaded)


def _string_version(elf: Binary, named: tuple[int, int] | None) -> int | None:
    """Find PY_VERSION among the constants; None if there are several and no name decides."""
    found = {version for chunk in _constants(elf) for version in _versions_in(chunk)}
    # Other libraries that are linked in have versions like 3.40.1 too (SQLite).
    likely = {version for version in found if _is_of(version, named)}
    return likely.pop() if len(likely) == 1 else None


def _versions_in(chunk: bytes) -> Iterator[int]:
    for major, pattern in ((3, _STRING), (2, _STRING_OF_2)):
        for match in pattern.finditer(chunk):
            # A longer number such as 13.8.1 is not a version of Python.
            if chunk[match.start() - 1 : match.start()] not in _NUMBERS:
                yield _hexversion(major, match)


def _is_of(version: int, named: tuple[int, int] | None) -> bool:
    minor = (version >> 24, version >> 16 & 0xFF)
    return minor == named if named else minor <= (3, 10)


def _hexversion(major: int, match: re.Match[bytes]) -> int:
    minor, micro, serial = (int(match[group] or 0) for group in (1, 2, 4))
    return major << 24 | minor << 16 | micro << 8 | _LEVELS[match[3] or b""] << 4 | serial & 0xF


def _constants(elf: Binary) -> Iterator[bytes]:
    """Yield the read-only data in pieces that overlap; code too if the linker has mixed them."""
    readonly = [part for part in elf.segments if not part.flags & PF_W]
    plain = [part for part in readonly if not part.flags & PF_X]
    left = CONSTANTS_LIMIT
    for part in plain or readonly:
        for offset in range(0, min(part.file_size, left), CHUNK):
            yield elf.read_virtual(part.address + offset, CHUNK + OVERLAP)
        left = max(0, left - part.file_size)
