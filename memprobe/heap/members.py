"""What one object of the target refers to, each reference with the name a person gives it.

This reads one object at a time, live: it is for the few objects of a path. Millions are read by the
native graph, which has no names. What there is comes from the shapes, as it does for the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from memprobe.heap.frame_members import FrameMembers
from memprobe.heap.inside import Inside
from memprobe.heap.named_values import NamedValues
from memprobe.heap.references import HIDDEN_KEY, HIDDEN_MEMBER, UNKNOWN, Place, Reference, Role
from memprobe.heap.shapes import Member, Op, Shapes, Strength, TypeFacts
from memprobe.heap.shown import shown
from memprobe.target.cpython.objects import UNREADABLE, is_pointer
from memprobe.target.cpython.python import Python

_WORD = 8
_MAXIMUM_BASES = 200
_MAXIMUM_OFFSET = 1 << 30

_ITEMS = {
    "dict": HIDDEN_KEY,
    "collections.OrderedDict": HIDDEN_KEY,
    "collections.defaultdict": HIDDEN_KEY,
    "list": HIDDEN_KEY,
    "tuple": HIDDEN_KEY,
    "collections.deque": HIDDEN_KEY,
    "set": HIDDEN_MEMBER,
    "frozenset": HIDDEN_MEMBER,
    "module": ".<state>",
    "functools._lru_cache_wrapper": ".<cache>[…]",
    "xml.etree.ElementTree.Element": HIDDEN_KEY,
}
_ROLES = {
    "__dict__": Role.NAMESPACE,
    "<localdict>": Role.NAMESPACE,
    "<dummies>": Role.THREAD_DICTS,
    "<localdicts>": Role.THREAD_DICTS,
    "__kwdefaults__": Role.KEYWORDS,
    "keywords": Role.KEYWORDS,
    "__closure__": Role.CLOSURE,
}

Found = Iterator[Reference]


class Members:
    """Names the references of objects of one target."""

    def __init__(self, python: Python, *, with_keys: bool = False) -> None:
        self._objects = python.objects
        self._layout = python.layout
        self._dictionaries = python.dictionaries
        self._instances = python.instances
        self._values = NamedValues(python.objects, with_keys=with_keys)
        self.shapes = Shapes(python.objects)
        self.inside = Inside(python.objects)
        self.frames = FrameMembers(python)
        self._static_dicts: dict[int, int] = {}
        self._type_type = self._find_type_type(python)
        self._type_flag = python.layout.constant("Py_TPFLAGS_TYPE_SUBCLASS")
        self._readers: dict[Op, Callable[[TypeFacts, Place, Member], Found]] = {
            Op.DICT: self._dict,
            Op.ODICT: self._dict,
            Op.DICT_KEYS: self._nothing,
            Op.INSTANCE: self._instance,
            Op.DICT_POINTER: self._dict_pointer,
            Op.FRAME: self._frame,
            Op.CODE: self._frame_object,
            Op.LRU_LINK: self._nothing,
            Op.SET: self._set,
            Op.CONSERVATIVE: self._guessed,
        }

    def of(self, place: Place, *, but: Op | None = None) -> list[Reference]:
        """Return the references of an object that hold; what cannot be read is left out, and one op."""
        found: list[Reference] = []
        try:
            facts = self.type_of(place.address)
            members = self.shapes.of_type(facts.address)
            self.inside.read_body(place.address, facts.basicsize)
        except UNREADABLE:
            return []
        for member in members:
            if member.strength is Strength.WEAK or member.op is but:
                continue
            try:
                found += self._readers.get(member.op, self._plain)(facts, place, member)
            except UNREADABLE:
                continue
        if facts.flags & self._type_flag:
            found += self._static_dict(place)
        return [reference for reference in found if is_pointer(reference.place.address)]

    def reference(self, place: Place, target: int) -> Reference:
        """Return the best name by which one object holds another, also where it holds very many."""
        found = self._in_container(place, target)
        if found is None:
            # The results of an lru_cache lie in a chain of any length: they all have the same name.
            candidates = [one for one in self.of(place, but=Op.LRU_LINKS) if one.place.address == target]
            found = min(candidates, key=_rank, default=None)
        return found or Reference(self._unknown(place), Place(target))

    def _in_container(self, place: Place, target: int) -> Reference | None:
        """Find an item of a plain list or dict without naming all others; None if there is no such item."""
        try:
            facts = self.type_of(place.address)
            if place.role is not Role.PLAIN or facts.name not in ("dict", "list"):
                return None
            if facts.name == "list":
                (member,) = self.shapes.of_type(facts.address)
                items = (index for index, item in self.inside.items(place.address, member) if item == target)
                return next((Reference(f"[{index}]", Place(target)) for index in items), None)
            for key, value in self._dictionaries.items(place.address):
                if value == target:
                    return next(self._values.of([(key, value)], place.role))
        except UNREADABLE:
            pass
        return None

    def _unknown(self, place: Place) -> str:
        """Say how an object holds another one that was not found in it: it changed, or has too many."""
        try:
            base = self.base_name(self._objects.type_of(place.address))
        except UNREADABLE:
            return UNKNOWN
        return _ITEMS.get(base, UNKNOWN)

    def type_of(self, address: int) -> TypeFacts:
        """Return what is known of an object's type, or raise what UNREADABLE names."""
        return self.shapes.facts(self._objects.type_of(address))

    def type_name(self, type_address: int) -> str:
        """Return tp_name of a type, "?" if it cannot be read."""
        try:
            return self.shapes.facts(type_address).name
        except UNREADABLE:
            return "?"

    def base_name(self, type_address: int) -> str:
        """Return the name of the C type that a type is built on, "?" if it cannot be read."""
        try:
            facts = self.shapes.facts(type_address)
            for _ in range(_MAXIMUM_BASES):
                if not facts.is_python_class:
                    return facts.name
                facts = self.shapes.facts(facts.base)
        except UNREADABLE:
            pass
        return "?"

    def is_object(self, address: int) -> bool:
        """Say whether there is an object at an address: the type of its type must be a type."""
        try:
            kind = self._objects.type_of(address)
            meta = self._objects.type_of(kind)
            return self._type_type in (meta, self._objects.type_of(meta))
        except UNREADABLE:
            return False

    def know_static_types(self, dicts: dict[int, int]) -> None:
        """Tell where the interpreter keeps the dicts of its static types (3.12 and later)."""
        self._static_dicts.update(dicts)

    def _plain(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        """Name the references of a member that is a pointer or an array of them."""
        label = ".<queue>" if member.op is Op.RING else shown(facts.name, member.name)
        for index, target in self.inside.items(place.address, member):
            if member.op in (Op.POINTER, Op.TAGGED_POINTER):
                yield self._pointer(place, member, label, target)
            elif member.op is Op.LRU_LINKS:
                yield Reference(label, Place(target))
            elif facts.name == "hamt_bitmap_node":
                yield from self._hamt(place, index, target)
            elif facts.name == "hamt_array_node":
                yield Reference("", Place(target))
            elif place.role is Role.CLOSURE and index < len(place.names):
                yield Reference(f".{place.names[index]}", Place(target, Role.VARIABLE))
            else:
                yield Reference(f"{label}[{index}]", Place(target))

    def _pointer(self, place: Place, member: Member, label: str, target: int) -> Reference:
        if member.name == "cell_contents" and place.role is Role.VARIABLE:
            return Reference("", Place(target))
        role = _ROLES.get(member.name, Role.PLAIN)
        if role is Role.NAMESPACE:
            return Reference("", Place(target, role), f".{member.name.strip('<>')}")
        names = self.frames.free_variables(self._code_of(place.address)) if role is Role.CLOSURE else ()
        final = f".{member.name.strip('<>')}" if member.name else ""
        return Reference(label, Place(target, role, names), label or final)

    def _code_of(self, function: int) -> int:
        return self._objects.pointer(function + self._layout.offset("PyFunctionObject.func_code"))

    def _dict(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        items = self._dictionaries.items(place.address + member.offset)
        yield from self._values.of(items, place.role)
        # The keys of a namespace are names; nobody looks for who holds those.
        if place.role is Role.PLAIN:
            yield from (Reference(f".keys(){HIDDEN_KEY}", Place(key)) for key, _ in items)

    def _set(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        return (Reference(HIDDEN_MEMBER, Place(item)) for _, item in self.inside.items(place.address, member))

    def _instance(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        """Name the attributes that the interpreter keeps itself, unless they have become a dict."""
        dictionary = self.inside.managed_dict(place.address)
        if dictionary:
            yield Reference("", Place(dictionary, Role.NAMESPACE), ".__dict__")
        # From 3.13 on the values stay inside the object though there is a dict of them.
        if not dictionary or self._layout.version >= (3, 13):
            yield from self._values.of(self._instances.attributes(place.address), Role.NAMESPACE)

    def _dict_pointer(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        offset = self._instances.dict_offset(place.address)
        if 0 < offset < _MAXIMUM_OFFSET:
            dictionary = self._objects.pointer(place.address + offset)
            yield Reference("", Place(dictionary, Role.NAMESPACE), ".__dict__")

    def _frame(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        """Name the references of the frame inside a generator, or of a frame object (3.11 and later)."""
        if facts.name == "frame":
            own = self.frames.own_frame(place.address)
            yield from self._locals(own) if own else ()
        elif self.frames.generator_has_frame(place.address, member.extra):
            yield from self._locals(place.address + member.offset)

    def _frame_object(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        return self._locals(place.address)

    def _locals(self, frame: int) -> Found:
        for local in self.frames.of_frame(frame):
            yield Reference(f" <frame {local.frame}>.{local.text}", Place(local.target, Role.VARIABLE))

    def _hamt(self, place: Place, index: int, target: int) -> Found:
        """Name an entry of a context: keys are variables, a value without a key is another node."""
        if index % 2:
            start = place.address + self._layout.offset("PyHamtNode_Bitmap.b_array")
            key = self._objects.pointer(start + (index - 1) * _WORD)
            yield Reference(f"[{self._variable(key)!r}]" if key else "", Place(target))
        else:
            yield Reference(f".keys(){HIDDEN_KEY}", Place(target))

    def _variable(self, address: int) -> str:
        name = self._objects.pointer(address + self._layout.offset("PyContextVar.var_name"))
        return self._objects.string(name)

    def _guessed(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        end = member._replace(extra=member.extra or facts.basicsize)
        for offset, target in self.inside.items(place.address, end):
            if self.is_object(target):
                yield Reference(f".<+{offset}>", Place(target), guessed=True)

    def _static_dict(self, place: Place) -> Found:
        found = self._static_dicts.get(place.address, 0)
        if found:
            yield Reference("", Place(found, Role.NAMESPACE), ".__dict__")

    def _nothing(self, facts: TypeFacts, place: Place, member: Member) -> Found:
        return iter(())

    def _find_type_type(self, python: Python) -> int:
        """Find the type of all types, which is its own type; 0 if that cannot be read."""
        try:
            interpreter, *_ = python.interpreters()
            return self._objects.type_of(self._objects.type_of(interpreter.sys_dict))
        except (*UNREADABLE, ValueError):
            return 0


def _rank(reference: Reference) -> tuple[bool, bool, int]:
    """Prefer what Python knows by name, then what is shorter."""
    return reference.guessed, "<" in reference.label, len(reference.label)
