"""What one member of an object is: the words of the recipes that C carries out and naming reads.

The numbers are those of heap_types.h (enum heap_operation, enum heap_strength); a test compares.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class Op(IntEnum):
    """How to get from an object's body to what it refers to."""

    POINTER = 0
    """One reference at `offset`."""

    TAGGED_POINTER = 1
    """One reference with tags in its two lowest bits (3.14 and later)."""

    ITEMS = 2
    """References in the body from `offset` on, as many as the word at `extra` says."""

    LIST = 3
    """A pointer at `offset` to as many references as the word at `extra` says."""

    TUPLE = 4
    """The same as ITEMS: the items of a tuple."""

    DICT = 5
    """Keys and values of the dict struct that begins at `offset`."""

    DICT_KEYS = 6
    """A pointer at `offset` to a table of keys, of which the keys are owned."""

    SET = 7
    """The members of the set struct that begins at `offset`."""

    DEQUE = 8
    """The items in the blocks of a deque."""

    ODICT = 9
    """As DICT, and each key once more, by the node of its order."""

    INSTANCE = 10
    """Attributes that the interpreter keeps before or inside the object (managed dict, values)."""

    DICT_POINTER = 11
    """The instance dict at `offset`: tp_dictoffset, from the object's end if negative."""

    FRAME = 12
    """An interpreter frame (3.11 and later) at `offset`, with its locals and stack.

    `extra` is where a generator has the state of its frame; 0 in a frame object."""

    CODE = 13
    """Locals and stack of a frame object to 3.10."""

    CONSERVATIVE = 14
    """Every word of the body from `offset` up to `extra` (0: its end) that is an object's address."""

    ARRAY = 15
    """`extra` references in the body, from `offset` on."""

    TABLE = 16
    """A pointer at `offset` to `extra` references."""

    ITEMS_INT = 17
    """As ITEMS, the count being the 32-bit int at `extra`."""

    RING = 18
    """A queue's ring buffer (3.13 and later): put index, get index, items, capacity, count at `offset`."""

    LRU_LINKS = 19
    """The results of an lru_cache: the ring of links that begins at `offset`."""

    LRU_LINK = 20
    """One link of it: next, key and result; the wrapper visits them in its stead."""

    MODULE_STATE = 21
    """The words of a C module's state: a pointer at `offset`, its definition at `extra`."""

    ELEMENT = 22
    """Attributes and children of an XML element: a pointer at `offset`."""

    PAIRS = 23
    """A pointer at `offset` to (reference, word) pairs, as many as the word at `extra` says."""

    AFTER_ITEMS = 24
    """One reference, `offset` and the bytes of the items away (slots of tuples, 3.15)."""

    IF = 25
    """One reference at `offset`, which is there only if the byte at `extra` is not 0."""


class Strength(IntEnum):
    """What a reference means."""

    VISITED = 0
    """tp_traverse visits it: gc.get_referents shows it."""

    OWNED = 1
    """It is counted in the reference count, but tp_traverse does not visit it."""

    WEAK = 2
    """It keeps nothing alive."""

    GUESSED = 3
    """A word that is the address of an object; nobody knows what the type means by it."""


class Member(NamedTuple):
    """One member of an object, or one family of members (the items of a list)."""

    name: str
    """As a person would type it behind the object and a dot; "<so>" what Python does not show; "" for
    what has names or indices of its own (items, attributes)."""

    op: Op
    strength: Strength
    offset: int = 0
    extra: int = 0


_PACKED = struct.Struct("<HHii")


def packed(members: Sequence[Member]) -> bytes:
    """Pack members as the array of struct heap_member that C carries out."""
    return b"".join(
        _PACKED.pack(member.op, member.strength, member.offset, member.extra) for member in members
    )
