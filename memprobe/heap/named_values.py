"""The values of dictionaries, each with the name that its key gives it: of an attribute, or of an entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memprobe.heap.references import HIDDEN_KEY, Place, Reference, Role
from memprobe.target.cpython.objects import Objects

_NAME_CHARACTERS, _NAMES_KEPT = 256, 1 << 16


class NamedValues:
    """Names values; keys that are nobody's business only `with_keys`."""

    def __init__(self, objects: Objects, *, with_keys: bool) -> None:
        self._objects, self._with_keys = objects, with_keys
        self._names: dict[int, str] = {}

    def of(self, items: Sequence[tuple[int, int]], role: Role) -> Iterator[Reference]:
        """Yield a reference for each key and value; the role is that of the dictionary."""
        is_named = role in (Role.NAMESPACE, Role.KEYWORDS) or self._with_keys
        names = self._named([key for key, _ in items], role) if is_named else {}
        for key, value in items:
            name = names.get(key)
            if role is Role.THREAD_DICTS:
                yield Reference("", Place(value, Role.NAMESPACE))
            elif role is Role.NAMESPACE and name is not None and name.isidentifier():
                yield Reference(f".{name}", Place(value))
            elif role is Role.NAMESPACE and not self._with_keys:
                yield Reference(f".__dict__{HIDDEN_KEY}", Place(value))
            else:
                yield Reference(HIDDEN_KEY if name is None else f"[{name!r}]", Place(value))

    def _named(self, keys: list[int], role: Role) -> dict[int, str]:
        """Return the texts of keys; names of attributes are the same few strings everywhere, and kept."""
        if role is not Role.NAMESPACE:
            return self._objects.strings(keys, _NAME_CHARACTERS)
        if len(self._names) > _NAMES_KEPT:
            self._names.clear()
        unknown = [key for key in keys if key not in self._names]
        self._names |= self._objects.strings(unknown, _NAME_CHARACTERS)
        return self._names
