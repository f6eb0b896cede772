"""Any objects as bytes and back: what is shared stays shared, and nothing of the file is ever called.

    bytes = u32 length of the JSON, JSON, blobs
    JSON  = {"classes": [[module, name, [attribute, ...]], ...], "nodes": [node, ...]}

A value is a number, a text, true, false or null as itself, or a list of one number: that of its node. A
node is a list: its sort (Sort), then what that sort has; the first is the root. Whoever reads says of which
modules classes may be; an object is made without its constructor, and its attributes are set.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

LENGTH = struct.Struct("<I")

Node = list[Any]
Names = tuple[str, ...]
"""Of the attributes of an object."""


class Sort(IntEnum):
    """What a node is."""

    TUPLE = 0
    LIST = 1
    SET = 2
    FROZENSET = 3
    DICT = 4
    """Key, value, key, value, ..."""

    DEQUE = 5
    """Its greatest length, then the items."""

    BYTES = 6
    """Offset and length among the blobs."""

    ARRAY = 7
    """Type code, offset, length."""

    TABLE = 8
    """A numpy array: its type, its shape, offset, length."""

    SCALAR = 9
    """A numpy number: its type, offset, length."""

    MEMBER = 10
    """Of an Enum: class, value."""

    OBJECT = 11
    """Class, and the values of its attributes."""

    GIVEN = 12
    """What writer and reader both have: which of them."""
