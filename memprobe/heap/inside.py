"""The references inside one object of the target, member by member of its recipe.

Everything that is read may be torn or a lie: counts are bounded, chains have an end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from memprobe.heap.shapes.members import Member, Op
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import BadObject, Objects, is_pointer

MAXIMUM_ITEMS = 200_000
"""More references of one container are not looked at."""

MAXIMUM_BODY = 4096
"""A longer struct is not read as a whole."""

_WORD = 8
_TAGS = 3
_BLOCKS_AT_MOST = MAXIMUM_ITEMS // 16
_PAIR = 2 * _WORD

Indexed = Iterator[tuple[int, int]]
"""(index, address) of every item."""


class Inside:
    """Reads arrays, chains and tables of references."""

    def __init__(self, objects: Objects) -> None:
        layout = objects.layout
        self._objects = objects
        self._version = layout.version
        self._set = Fields(layout, "PySetObject", "mask", "table")
        self._deque = Fields(layout, "dequeobject", "leftblock", "leftindex:signed", "rightindex:signed")
        self._deque_size = layout.offset("PyVarObject.ob_size")
        self._block_length = layout.constant("BLOCKLEN")
        self._block_data = layout.offset("BLOCK.data")
        self._block_right = layout.offset("BLOCK.rightlink")
        self._link = Fields(layout, "lru_list_elem", "next", "key", "result")
        self._body_start, self._body = 0, b""
        """What `read_body` has read."""

    def read_body(self, address: int, size: int) -> None:
        """Read the struct of an object as a whole: what is asked of its pointers next needs no read each."""
        self._body_start, self._body = address, b""
        if 0 < size <= MAXIMUM_BODY:
            self._body = self._objects.read(address, size)

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """Read an array of words."""
        if not 0 <= count <= MAXIMUM_ITEMS:
            raise BadObject(f"{count} references at {address:#x}")
        if not count:
            return ()
        return struct.unpack(f"<{count}Q", self._objects.read(address, count * _WORD))

    def items(self, address: int, member: Member) -> Indexed:
        """Yield the references of a member that is an array, by index."""
        read = _READERS.get(member.op)
        if read is None:
            return
        for index, word in read(self, address, member):
            if word:
                yield index, word

    def managed_dict(self, address: int) -> int:
        """Return the dict of an instance whose attributes the interpreter keeps; 0 while it has none."""
        word = self._objects.pointer(address - 3 * _WORD)
        return 0 if self._version == (3, 12) and word & 1 else word

    def pointer(self, address: int, member: Member) -> Indexed:
        """Yield the one reference of a member."""
        word = self._word(address + member.offset)
        if member.op is not Op.TAGGED_POINTER:
            yield 0, word
        elif word & _TAGS != _TAGS:
            yield 0, word & ~_TAGS

    def _word(self, address: int) -> int:
        start = address - self._body_start
        if 0 <= start <= len(self._body) - _WORD:
            return int.from_bytes(self._body[start : start + _WORD], "little")
        return self._objects.pointer(address)

    def _counted(self, address: int, member: Member) -> Indexed:
        count = self._objects.pointer(address + member.extra)
        if member.op is Op.ITEMS_INT:
            count &= 0xFFFF_FFFF
        return enumerate(self.words(address + member.offset, count))

    def _behind(self, address: int, member: Member) -> Indexed:
        count = self._objects.pointer(address + member.extra)
        return enumerate(self.words(self._objects.pointer(address + member.offset), count) if count else ())

    def _array(self, address: int, member: Member) -> Indexed:
        return enumerate(self.words(address + member.offset, member.extra))

    def _table(self, address: int, member: Member) -> Indexed:
        start = self._objects.pointer(address + member.offset)
        return enumerate(self.words(start, member.extra) if start else ())

    def _pairs(self, address: int, member: Member) -> Indexed:
        count = self._objects.pointer(address + member.extra)
        start = self._objects.pointer(address + member.offset)
        return enumerate(self.words(start, 2 * count)[1::2] if start and count <= MAXIMUM_ITEMS else ())

    def _members(self, address: int, member: Member) -> Indexed:
        mask, table = self._set.unpack(self._objects.read(address, self._set.end))
        entries = self.words(table, 2 * (mask + 1) if mask < MAXIMUM_ITEMS else -1)
        return enumerate(entries[::2])

    def _blocks(self, address: int, member: Member) -> Indexed:
        size = self._objects.pointer(address + self._deque_size)
        block, left, _ = self._deque.unpack(self._objects.read(address, self._deque.end))
        index = 0
        for _ in range(_BLOCKS_AT_MOST):
            count = min(size - index, self._block_length - left)
            if count <= 0 or not is_pointer(block):
                return
            for word in self.words(block + self._block_data + left * _WORD, count):
                yield index, word
                index += 1
            block, left = self._objects.pointer(block + self._block_right), 0

    def _ring(self, address: int, member: Member) -> Indexed:
        _, get, items, capacity, count = self.words(address + member.offset, 5)
        if not 0 < capacity <= MAXIMUM_ITEMS or count > capacity or get >= capacity:
            return iter(())
        words = self.words(items, capacity)
        return ((index, words[(get + index) % capacity]) for index in range(count))

    def _links(self, address: int, member: Member) -> Indexed:
        root = address + member.offset
        link, seen = self._objects.pointer(root + self._link.start), set[int]()
        while is_pointer(link) and link != root and link not in seen and len(seen) < MAXIMUM_ITEMS:
            seen.add(link)
            link, _, result = self._link.unpack(self._objects.read(link, self._link.end))
            yield len(seen), result

    def _words_of_body(self, address: int, member: Member) -> Indexed:
        end = member.extra or member.offset
        for index, word in enumerate(self.words(address + member.offset, (end - member.offset) // _WORD)):
            if is_pointer(word):
                yield member.offset + index * _WORD, word


_READERS = {
    Op.POINTER: Inside.pointer,
    Op.TAGGED_POINTER: Inside.pointer,
    Op.ITEMS: Inside._counted,
    Op.ITEMS_INT: Inside._counted,
    Op.TUPLE: Inside._counted,
    Op.LIST: Inside._behind,
    Op.ARRAY: Inside._array,
    Op.TABLE: Inside._table,
    Op.PAIRS: Inside._pairs,
    Op.SET: Inside._members,
    Op.DEQUE: Inside._blocks,
    Op.RING: Inside._ring,
    Op.LRU_LINKS: Inside._links,
    Op.CONSERVATIVE: Inside._words_of_body,
}
