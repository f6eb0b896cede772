"""Where CPython keeps what: offsets, sizes and constants of each version, from its own headers.

The tables beside this file are generated (see generate.py and docs/layouts.md). A table is a
claim: what attaches to a process verifies it there, lays the process's own _Py_DebugOffsets
over it where there are any, and tries the next variant when a claim does not hold.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from memprobe.errors import UnknownVersion

VERSIONS = tuple((3, minor) for minor in range(8, 16))
"""The versions that have a table."""

MACHINES = ("x86_64", "aarch64")
"""The machines that have tables."""

_HERE = os.path.dirname(__file__)


class UnknownField(KeyError):
    """A name that this version's table does not have: a mistake in memprobe, not of the user."""

    def __init__(self, name: str, version: tuple[int, int]) -> None:
        super().__init__(name, version)
        self.name = name
        self.version = version

    def __str__(self) -> str:
        return f"CPython {self.version[0]}.{self.version[1]} has no {self.name} in its layout table"


class BitField(NamedTuple):
    """Where the bits of a C bit-field lie."""

    offset: int
    """Of the 32-bit word that holds them, in bytes from the start of the struct."""

    shift: int
    """Of their lowest bit in that word."""

    width: int
    """How many bits there are."""

    @property
    def mask(self) -> int:
        """The bits after shifting down."""
        return (1 << self.width) - 1

    def extract(self, word: int) -> int:
        """Return the field's value, given the 32-bit word at `offset`."""
        return word >> self.shift & self.mask


class Layout:
    """The memory layout of one CPython on one machine.

    Names are the C names of the version's own headers: "PyFrameObject.f_back" to 3.10,
    "_PyInterpreterFrame.previous" from 3.11; dots reach into nested structs. A name that the
    version does not have raises UnknownField.
    """

    def __init__(self, document: Mapping[str, Any], variant: Mapping[str, Any]) -> None:
        major, minor = document["version"].split(".")
        self.version = (int(major), int(minor))
        self.machine: str = document["machine"]
        self.patches = tuple(variant["patches"])
        """The patch releases that were found to have exactly this layout, newest first."""
        self.source = "table"
        """ "table", or "table+debug offsets" once the process's own offsets lie over it."""
        self._structs: Mapping[str, Any] = _changed(document["structs"], variant.get("structs", {}))
        self._constants: Mapping[str, int] = _changed(document["constants"], variant.get("constants", {}))
        self._overlay: Mapping[str, int] = {}

    @property
    def patch(self) -> str:
        """The newest patch release whose headers gave this layout."""
        return str(self.patches[0])

    def offset(self, name: str) -> int:
        """Return the offset in bytes of "Struct.field"."""
        found = self._overlay.get(name)
        return self._find(name, "fields")[0] if found is None else found

    def size(self, name: str) -> int:
        """Return the size in bytes of "Struct" or of "Struct.field" (0 for a flexible tail)."""
        if "." in name:
            return self._find(name, "fields")[1]
        found = self._overlay.get(name)
        if found is None:
            found = self._structs.get(name, {}).get("size")
        if found is None:
            raise UnknownField(name, self.version)
        return int(found)

    def constant(self, name: str) -> int:
        """Return the value of a macro or an enumerator."""
        try:
            return self._constants[name]
        except KeyError:
            raise UnknownField(name, self.version) from None

    def bits(self, name: str) -> BitField:
        """Return where the bit-field "Struct.field" lies."""
        return BitField(*self._find(name, "bits"))

    def has(self, name: str) -> bool:
        """Say whether one of offset, size, constant and bits knows this name."""
        if name in self._overlay or name in self._constants:
            return True
        struct, _, field = name.partition(".")
        entry = self._structs.get(struct, {})
        if not field:
            return "size" in entry
        return field in entry.get("fields", ()) or field in entry.get("bits", ())

    def with_offsets(self, offsets: Mapping[str, int]) -> Layout:
        """Return a copy in which the process's own offsets ("Struct.field") and sizes ("Struct") win."""
        copy = Layout.__new__(Layout)
        copy.__dict__.update(self.__dict__)
        copy._overlay = {**self._overlay, **offsets}
        copy.source = "table+debug offsets"
        return copy

    def _find(self, name: str, kind: str) -> list[int]:
        struct, _, field = name.partition(".")
        try:
            found: list[int] = self._structs[struct][kind][field]
        except KeyError:
            raise UnknownField(name, self.version) from None
        return found

    def __repr__(self) -> str:
        return f"<Layout of CPython {self.patch} on {self.machine}, {self.source}>"


def load_layout(version: tuple[int, int], machine: str = "x86_64", patch: int | None = None) -> Layout:
    """Load the likeliest layout of a version; raise UnknownVersion if there is none."""
    return load_variants(version, machine, patch)[0]


@functools.cache
def load_variants(
    version: tuple[int, int], machine: str = "x86_64", patch: int | None = None
) -> tuple[Layout, ...]:
    """Load all known layouts of a version, the likeliest for a patch release first.

    More than one can be right for a patch release: distributions patch their headers.
    """
    document = _read(version, machine)
    layouts = (Layout(document, variant) for variant in (document, *document["variants"]))
    if patch is None:
        return tuple(layouts)
    return tuple(sorted(layouts, key=lambda layout: _distance(layout, patch)))


def _read(version: tuple[int, int], machine: str) -> dict[str, Any]:
    try:
        with open(os.path.join(_HERE, machine, f"{version[0]}.{version[1]}.json"), "rb") as file:
            document: dict[str, Any] = json.load(file)
            return document
    except FileNotFoundError:
        pass
    raise UnknownVersion(
        f"memprobe has no layout table for CPython {version[0]}.{version[1]} on {machine}",
        remedy=f"CPython 3.{VERSIONS[0][1]} to 3.{VERSIONS[-1][1]} on {' and '.join(MACHINES)} have one",
    )


def _distance(layout: Layout, patch: int) -> int:
    """Rank by the next known release: 3.14.5 to 3.14.7 are like 3.14.8, not like 3.14.4."""
    steps = [int(known.split(".")[2]) - patch for known in layout.patches]
    return min(step if step >= 0 else 1000 - step for step in steps)


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Apply what a variant has different; None takes away. The depth is that of our own files."""
    if base is changes or not changes:
        return base
    changed = dict(base)
    for key, value in changes.items():
        if value is None:
            del changed[key]
        else:
            changed[key] = _changed(base.get(key, {}), value) if isinstance(value, dict) else value
    return changed
