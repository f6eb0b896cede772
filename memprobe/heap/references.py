"""References with the names that people give them: what members.py reads and a path is made of."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

HIDDEN_KEY = "[…]"
"""How a key is shown whose content is nobody's business."""

HIDDEN_MEMBER = "{…}"

UNKNOWN = ".<?>"
"""What stands in a path where the reference was not there any more."""


class Role(Enum):
    """What an object is to the one that led to it; it decides how its own members are called."""

    PLAIN = "itself"
    NAMESPACE = "a dict whose keys are attributes: of a module, a class, an instance"
    KEYWORDS = "a dict whose keys are names of parameters"
    THREAD_DICTS = "a dict of the namespaces that threads have in a threading.local"
    CLOSURE = "the tuple of cells of a function"
    VARIABLE = "a cell that was reached by the name of its variable"


class Place(NamedTuple):
    """An object, and how it was come by."""

    address: int
    role: Role = Role.PLAIN
    names: tuple[str, ...] = ()
    """Of its cells, if it is a closure."""


class Reference(NamedTuple):
    """One reference of an object."""

    label: str
    """What leads on from the object: ".name", "[3]", "" if it goes without saying."""

    place: Place
    """What it leads to."""

    final: str = ""
    """What is said instead of the label where the path ends here."""

    guessed: bool = False
    """Whether it is only a word that happens to be the address of an object."""
