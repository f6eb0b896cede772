"""The shapes of objects: for every type, which of its members refer to other objects.

One table for everybody: C carries the members out as recipes when it builds the graph, and naming
reads the same members of one object to say by which name it holds another.

    shapes = Shapes(objects)                 # of one target: its memory and its layout
    shapes.of_type(address)                  # -> the members of the type's instances
    packed(shapes.of_type(address))          # the same, as the array that C reads

A class made by Python has its slots, its instance dict (whatever design the version has), and what
the C type below it has. A C type that is in no table has Op.CONSERVATIVE: every word may be a reference.
"""

from __future__ import annotations

from memprobe.heap.shapes import modules, objects
from memprobe.heap.shapes.facts import TypeFacts, TypeReader
from memprobe.heap.shapes.members import Member, Op, Strength, packed
from memprobe.heap.shapes.notation import parse
from memprobe.target.cpython.objects import BadObject, Objects
from memprobe.target.layouts import Layout

__all__ = ["Member", "Op", "Shapes", "Strength", "TypeFacts", "packed"]

MAXIMUM_BASES = 200
"""A chain of base classes longer than this is not believed."""

_BY_NAME = {
    name: line
    for table in (objects.SHAPES, modules.SHAPES)
    for key, line in table.items()
    for name in key.split("|")
}
_WITHOUT_TYPE = {
    # Their tp_traverse does not visit their type, though they are heap types.
    "typing.ParamSpecArgs",
    "typing.ParamSpecKwargs",
    "compression.zstd.ZstdCompressor",
    "compression.zstd.ZstdDecompressor",
    "_multibytecodec.MultibyteIncrementalDecoder",
    "_multibytecodec.MultibyteIncrementalEncoder",
    "_multibytecodec.MultibyteStreamReader",
    "_multibytecodec.MultibyteStreamWriter",
}
_TYPE_VISITED_BY_OTHERS = {"functools._lru_list_elem"}
"""As all else that a link of an lru_cache has."""

_FAMILIES = ("DICT", "BASE_EXC", "TYPE")


class Shapes:
    """Knows the shapes of all types of one target."""

    def __init__(self, objects: Objects) -> None:
        layout = objects.layout
        self._layout = layout
        self._reader = TypeReader(objects)
        self._known: dict[int, tuple[Member, ...]] = {}
        self._facts: dict[int, TypeFacts] = {}
        self._families = sum(layout.constant(f"Py_TPFLAGS_{name}_SUBCLASS") for name in _FAMILIES)
        self._tuples = layout.constant("Py_TPFLAGS_TUPLE_SUBCLASS")
        self._items = layout.offset("PyTupleObject.ob_item")
        self._header = layout.size("PyObject")
        self._type_offset = layout.offset("PyObject.ob_type")

    def of_type(self, address: int) -> tuple[Member, ...]:
        """Return the members of the instances of a type; what is raised is one of UNREADABLE."""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = tuple(self._members(self.facts(address)))
        return found

    def facts(self, address: int) -> TypeFacts:
        """Return what a type says of itself; what is raised is one of UNREADABLE."""
        found = self._facts.get(address)
        if found is None:
            found = self._facts[address] = self._reader.read(address)
        return found

    def _members(self, facts: TypeFacts) -> list[Member]:
        below = facts
        members = []
        for _ in range(MAXIMUM_BASES):
            if not below.is_python_class:
                break
            members += [
                Member(name, Op.AFTER_ITEMS if after else Op.POINTER, Strength.VISITED, offset)
                for name, offset, after in self._reader.slots(below)
                if self._header <= offset <= facts.basicsize - 8
            ]
            below = self.facts(below.base)
        else:
            raise BadObject(f"the bases of the type at {facts.address:#x} do not end")
        members += self._instance(facts, below)
        members += self._below(below)
        members += self._type(facts, below)
        return members if facts.has_gc else [_unvisited(member) for member in members]

    def _instance(self, facts: TypeFacts, below: TypeFacts) -> list[Member]:
        """Return where the attributes of an instance are."""
        if facts.has_managed_dict:
            return [Member("__dict__", Op.INSTANCE, Strength.VISITED, facts.basicsize)]
        if facts.dictoffset and facts.dictoffset != below.dictoffset:
            return [Member("__dict__", Op.DICT_POINTER, Strength.VISITED, facts.dictoffset)]
        return []

    def _type(self, facts: TypeFacts, below: TypeFacts) -> list[Member]:
        """Return the reference to the type: instances of heap types own one."""
        if not facts.is_heap or facts.name in _TYPE_VISITED_BY_OTHERS:
            return []
        visits = facts.is_python_class if self._layout.version < (3, 9) else True
        # A traverse function of C that visits no type does not do so for the classes made of it either.
        if below.is_heap and below.name in _WITHOUT_TYPE and self._layout.version >= (3, 10):
            visits = False
        strength = Strength.VISITED if visits else Strength.OWNED
        return [Member("__class__", Op.POINTER, strength, self._type_offset)]

    def _below(self, facts: TypeFacts, depth: int = 0) -> list[Member]:
        """Return the members of a C type: from the tables, from its base, or guessed."""
        if facts.flags & self._tuples and facts.name != "tuple":
            return self._struct_sequence(facts)
        base = self.facts(facts.base) if facts.base and depth < MAXIMUM_BASES else None
        line = _BY_NAME.get(facts.name)
        if line is not None:
            members = list(parse(line, self._layout, facts.basicsize))
            if facts.name == "type":
                return members + _type_members(self._layout)
            if base is not None and base.flags & self._families and facts.name != "collections.OrderedDict":
                members += self._below(base, depth + 1)
            return members
        if base is None:
            return []
        inherited = self._below(base, depth + 1) if base.basicsize > self._header else []
        return inherited + self._guessed(facts, max(base.basicsize, self._header))

    def _guessed(self, facts: TypeFacts, start: int) -> list[Member]:
        """Return a scan of all that a type has beyond its base, but for its list of weak references."""
        ends = [(start, facts.basicsize)]
        if start <= facts.weaklistoffset < facts.basicsize:
            ends = [(start, facts.weaklistoffset), (facts.weaklistoffset + 8, facts.basicsize)]
        if facts.itemsize >= 8:
            ends[-1] = (ends[-1][0], 0)
        return [
            Member("", Op.CONSERVATIVE, Strength.GUESSED, low, high)
            for low, high in ends
            if low < high or not high
        ]

    def _struct_sequence(self, facts: TypeFacts) -> list[Member]:
        """Return the fields of a tuple with names; more than its ob_size says are there."""
        names = {offset: name for name, offset in self._reader.fields(facts) if offset >= self._items}
        if not names:
            return list(parse(_BY_NAME["tuple"], self._layout))
        return [
            Member(
                names.get(offset, f"[{(offset - self._items) // 8}]"), Op.POINTER, Strength.VISITED, offset
            )
            for offset in range(self._items, min(max(names), self._items + 2048) + 8, 8)
        ]


def _type_members(layout: Layout) -> list[Member]:
    return [*parse(objects.TYPE, layout), *parse(objects.HEAP_TYPE, layout)]


def _unvisited(member: Member) -> Member:
    """Take away the visits of what the collector does not know."""
    return member._replace(strength=Strength.OWNED) if member.strength == Strength.VISITED else member
