"""Dictionaries of the target: combined and split tables of all versions.

    3.8 - 3.10   keys: refcount, size, lookup, usable, entries; index width from the size;
                 every entry is (hash, key, value)
    3.11 -       keys: refcount, log2 of size and of index bytes, kind; entries of general tables
                 are (hash, key, value), those with only str keys (key, value)
A split table has its values apart: the keys then belong to the type and are shared.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import BadObject, Objects, is_pointer

MAXIMUM_ENTRIES = 200_000
"""More entries of one dictionary are not read."""

LARGEST_TABLE = 1 << 40
"""Of such tables some entries can be read, not all."""

_ITEM = struct.Struct("<QQ")
_SLICE = 128  # keys that are read at once in a search; sys is the first key of sys.modules

_KIND_GENERAL = 0

Item = tuple[int, int]
"""The addresses of a key and of its value."""


class Dictionaries:
    """Reads dictionaries of one target."""

    def __init__(self, objects: Objects) -> None:
        layout = objects.layout
        self._objects = objects
        self._dict = Fields(layout, "PyDictObject", "ma_used:signed", "ma_keys", "ma_values")
        self._by_log2 = layout.has("PyDictKeysObject.dk_log2_size")
        fields = ("dk_log2_size", "dk_log2_index_bytes", "dk_kind") if self._by_log2 else ("dk_size",)
        self._keys = Fields(layout, "PyDictKeysObject", "dk_nentries", *fields)
        self._indices = layout.offset("PyDictKeysObject.dk_indices")
        # 3.8 and 3.9 declare the struct in moduleobject.c: its dict comes right after the header.
        known = layout.has("PyModuleObject.md_dict")
        self._module = layout.offset("PyModuleObject.md_dict") if known else layout.size("PyObject")
        self._values = layout.offset("PyDictValues.values") if layout.has("PyDictValues.values") else 0

    def items(self, address: int) -> list[Item]:
        """Return the addresses of the keys and values of a dict, in order of insertion."""
        used, keys, values = self._dict.unpack(self._objects.read(address, self._dict.end))
        if not 0 <= used <= MAXIMUM_ENTRIES:
            raise BadObject(f"a dict of {used} entries at {address:#x}")
        if used == 0:
            return []
        if values:
            return self.split_items(keys, values + self._values)
        return [(key, value) for key, value in self._entries(keys) if key and value]

    def newest_keys(self, address: int, most: int) -> list[int]:
        """Return the addresses of the keys that came last, in order; of a dict of any size."""
        _, keys, _ = self._dict.unpack(self._objects.read(address, self._dict.end))
        count, width, start = self._table(keys, LARGEST_TABLE)
        first = max(count - most, 0)
        block = self._objects.read(keys + start + first * width, (count - first) * width) if count else b""
        words = struct.unpack(f"<{len(block) // 8}Q", block)
        step = width // 8
        return [key for key in words[step - 2 :: step] if key]

    def some_keys(self, address: int, most: int) -> list[int]:
        """Return the addresses of some keys, evenly over the order of insertion; of shared tables none.

        The first is the one that was put in first of all that are there, if not many before it are gone.
        """
        used, keys, values = self._dict.unpack(self._objects.read(address, self._dict.end))
        if values or used <= 0:
            return []
        count, width, start = self._table(keys, LARGEST_TABLE)
        if not is_pointer(keys + start):
            raise BadObject(f"the entries of a dict at {keys + start:#x}")
        step = max(1, count // most)
        places = range(0, count, step)[: most + 1]
        regions = [(keys + start + (place + 1) * width - 16, 16) for place in places]
        items = (_ITEM.unpack(block) for block in self._objects.memory.read_many(regions) if len(block) == 16)
        return [key for key, value in items if key and value]

    def value_regions(self, address: int) -> list[tuple[int, int]]:
        """Return the (address, size) of the memory in which a dict has its keys and values."""
        _, keys, values = self._dict.unpack(self._objects.read(address, self._dict.end))
        count, width, start = self._table(keys)
        regions = [(keys + start, count * width)]
        return [*regions, (values + self._values, 8 * count)] if values else regions

    def split_items(self, keys: int, values: int) -> list[Item]:
        """Join the keys of a shared table with the array of values at an address."""
        names = [key for key, _ in self._entries(keys)]
        if not names:
            return []
        block = self._objects.read(values, 8 * len(names))
        found = struct.unpack(f"<{len(names)}Q", block)
        return [(key, value) for key, value in zip(names, found, strict=True) if key and value]

    def find(self, address: int, name: str) -> int:
        """Return the address of the value of a str key, or 0."""
        items = self.items(address)
        for start in range(0, len(items), _SLICE):
            part = items[start : start + _SLICE]
            names = self._objects.strings((key for key, _ in part), len(name) + 1)
            for key, value in part:
                if names.get(key) == name:
                    return value
        return 0

    def of_module(self, address: int) -> int:
        """Return the address of a module's dict."""
        return self._objects.pointer(address + self._module)

    def named_items(self, address: int) -> dict[str, int]:
        """Return the values of all str keys by name; other keys are left out."""
        items = self.items(address)
        names = self._objects.strings(key for key, _ in items)
        return {names[key]: value for key, value in items if key in names}

    def _entries(self, keys: int) -> Iterator[Item]:
        """Yield the (key, value) pairs of a table, with the unused ones; values of shared tables are 0."""
        count, width, start = self._table(keys)
        block = self._objects.read(keys + start, count * width) if count else b""
        words = struct.unpack(f"<{count * width // 8}Q", block)
        step = width // 8
        return zip(words[step - 2 :: step], words[step - 1 :: step], strict=True)

    def _table(self, keys: int, most: int = MAXIMUM_ENTRIES) -> tuple[int, int, int]:
        """Return the number of entries, the bytes of one, and where they begin."""
        # The static table of empty dicts ends right after its indices: never read further.
        fields = self._keys.unpack(self._objects.read(keys, self._keys.end))
        count = fields[0]
        if self._by_log2:
            size, index_bytes = (1 << min(exponent, 40) for exponent in fields[1:3])
            general = fields[3] == _KIND_GENERAL
        else:
            size, general = fields[1], True
            index_bytes = size * next((width for width in (1, 2, 4) if size < 1 << (8 * width)), 8)
        if count > min(size, most):
            raise BadObject(f"a table of {count} entries at {keys:#x}")
        return count, 24 if general else 16, self._indices + index_bytes
