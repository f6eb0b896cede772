"""Attributes of instances, wherever a version keeps them.

    3.8 - 3.10   a dict at tp_dictoffset
    3.11         values before the object (-4 words) until a dict exists (-3 words)
    3.12         one word (-3): values with the lowest bit set, or a dict
    3.13 -       a dict (-3), or the values inside the object behind tp_basicsize
Types with Py_TPFLAGS_MANAGED_DICT have the newer forms, all others tp_dictoffset.
"""

from __future__ import annotations

from memprobe.target.cpython.dictionaries import Dictionaries, Item
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import BadObject, Objects

_WORD = 8
_MAXIMUM_OBJECT = 1 << 30


class Instances:
    """Reads attributes of instances of one target."""

    def __init__(self, objects: Objects, dictionaries: Dictionaries) -> None:
        layout = objects.layout
        self._objects = objects
        self._dictionaries = dictionaries
        self._version = layout.version
        self._type = Fields(
            layout,
            "PyTypeObject",
            "tp_flags",
            "tp_dictoffset:signed",
            "tp_basicsize:signed",
            "tp_itemsize:signed",
        )
        self._keys = layout.offset("PyHeapTypeObject.ht_cached_keys")
        self._size = layout.offset("PyVarObject.ob_size")
        self._is_long = layout.constant("Py_TPFLAGS_LONG_SUBCLASS")
        self._managed = _flag(objects, "Py_TPFLAGS_MANAGED_DICT")
        self._inline = _flag(objects, "Py_TPFLAGS_INLINE_VALUES")
        self._values = layout.offset("PyDictValues.values") if layout.has("PyDictValues.values") else 0
        valid = "PyDictValues.valid"
        self._valid = layout.offset(valid) if layout.has(valid) else None

    def attribute(self, address: int, name: str) -> int:
        """Return the address of the value of an instance attribute, or 0."""
        items = self.attributes(address)
        names = self._objects.strings(key for key, _ in items)
        return next((value for key, value in items if names.get(key) == name), 0)

    def attributes(self, address: int) -> list[Item]:
        """Return the addresses of the names and values of an instance's own attributes."""
        kind = self._objects.type_of(address)
        flags, _, size, _ = self._type.unpack(self._objects.read(kind, self._type.end))
        if flags & self._managed:
            return self._managed_attributes(address, kind, flags, size)
        dict_offset = self.dict_offset(address)
        if not dict_offset:
            return []
        dictionary = self._objects.pointer(address + dict_offset)
        return self._dictionaries.items(dictionary) if dictionary else []

    def dict_offset(self, address: int) -> int:
        """Return where an instance has the pointer to its dict (tp_dictoffset), 0 if nowhere."""
        kind = self._objects.type_of(address)
        flags, offset, size, item_size = self._type.unpack(self._objects.read(kind, self._type.end))
        if offset < 0:
            offset += self._end_of(address, flags, size, item_size)
        if not 0 <= offset < _MAXIMUM_OBJECT:
            raise BadObject(f"the type of {address:#x} has its dict at {offset}")
        return offset

    def _managed_attributes(self, address: int, kind: int, flags: int, size: int) -> list[Item]:
        """Read attributes that the interpreter keeps before or inside the object."""
        if self._version == (3, 11):
            values = self._objects.pointer(address - 4 * _WORD)
            dictionary = self._objects.pointer(address - 3 * _WORD)
        else:
            dictionary = self._objects.pointer(address - 3 * _WORD)
            values = 0
            if self._version == (3, 12) and dictionary & 1:
                dictionary, values = 0, dictionary + 1
            elif not dictionary and flags & self._inline:
                values = self._inline_values(address + size)
        if values:
            keys = self._objects.pointer(kind + self._keys)
            return self._dictionaries.split_items(keys, values + self._values)
        return self._dictionaries.items(dictionary) if dictionary else []

    def _inline_values(self, address: int) -> int:
        """Return the address of valid inline values, else 0."""
        assert self._valid is not None
        return address if self._objects.read(address, self._valid + 1)[self._valid] else 0

    def _end_of(self, address: int, flags: int, size: int, item_size: int) -> int:
        """Return the size of an object of variable size, which its dict is counted from."""
        count = int.from_bytes(self._objects.read(address + self._size, _WORD), "little", signed=True)
        if flags & self._is_long and self._version >= (3, 12):
            count >>= 3
        end = size + abs(count) * item_size
        return (end + _WORD - 1) // _WORD * _WORD


def _flag(objects: Objects, name: str) -> int:
    return objects.layout.constant(name) if objects.layout.has(name) else 0
