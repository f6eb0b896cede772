"""What the memory of a process is made of, and which part of it has grown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from memprobe.vocab.rows import NOT_MEASURED, Rows


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One part: bytes now, and how many more than at the first look; None was not measured."""

    bytes: int | None = None
    added: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryAccount:
    """The resident memory of a process, taken apart."""

    pid: int
    resident: MemoryPart = MemoryPart()
    """All of it."""

    objects: MemoryPart = MemoryPart()
    """Live blocks of Python's own allocator."""

    arena_free: MemoryPart = MemoryPart()
    """Held by its arenas, but free: what fragmentation keeps."""

    native: MemoryPart = MemoryPart()
    """C heaps: Python's large objects are in them, too."""

    mappings: MemoryPart = MemoryPart()
    """Other anonymous memory: large blocks of malloc, what libraries map."""

    stacks: MemoryPart = MemoryPart()
    """Stacks of threads."""

    files: MemoryPart = MemoryPart()
    """Code and mapped files."""


_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "resident": "rss_bytes",
        "objects": "python_bytes",
        "arena_free": "arena_free_bytes",
        "native": "native_bytes",
        "mappings": "mmap_bytes",
        "stacks": "stack_bytes",
    }
)


def memory_account(pid: int, first: Rows, last: Rows) -> MemoryAccount:
    """Take the memory of a process apart, from its first and its last sample (tables of one row)."""
    parts = {part: _part(_value(first, name), _value(last, name)) for part, name in _FIELDS.items()}
    return MemoryAccount(pid, **parts, files=_part(_files(first), _files(last)))


def _files(row: Rows) -> int | None:
    resident, anonymous = _value(row, "rss_bytes"), _value(row, "rss_anonymous_bytes")
    return None if resident is None or anonymous is None else resident - anonymous


def _value(row: Rows, name: str) -> int | None:
    value = int(row[name][0])
    return None if value == NOT_MEASURED else value


def _part(first: int | None, last: int | None) -> MemoryPart:
    return MemoryPart(last, None if first is None or last is None else last - first)
