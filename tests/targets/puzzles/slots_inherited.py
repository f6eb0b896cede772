# holder: ~.CHILD.first
"""A slot of a base class, in an instance that has slots and a dict too."""
from marks import prize

class Parent:
    __slots__ = ("first", "second")

class Child(Parent):
    __slots__ = ("third", "__dict__", "__weakref__")

CHILD = Child()
CHILD.other, CHILD.third = 1, 3
CHILD.first = prize()
