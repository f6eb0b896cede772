"""Keys of dictionaries that grow, sampled: the one thing of the target's data that can be asked for.

Only what `--with-keys` wants comes here. The newest are taken, which says best what fills a dictionary; few,
and of each only the beginning. A key that is neither text nor a number is told by its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memprobe.heap.containers import Watched
from memprobe.target.cpython.objects import UNREADABLE, Objects
from memprobe.target.cpython.python import Python

MOST_KEYS, CHARACTERS = 16, 64
"""Of one dictionary so many keys, and of a key so much."""

DICTIONARIES = frozenset({"dict", "collections.OrderedDict", "collections.defaultdict"})


def sampled_keys(python: Python, containers: Iterable[tuple[str, Watched]]) -> list[tuple[str, list[str]]]:
    """Return the newest keys of those containers that are dictionaries, each under the name given to it."""
    dictionaries = [(name, one) for name, one in containers if one.type in DICTIONARIES]
    found = [(name, list(_newest(python, one.address))) for name, one in dictionaries]
    return [(name, keys) for name, keys in found if keys]


def _newest(python: Python, address: int) -> Iterator[str]:
    try:
        keys = python.dictionaries.newest_keys(address, MOST_KEYS)
    except UNREADABLE:
        return
    for key in keys:
        try:
            yield _told(python.objects, key)
        except UNREADABLE:
            continue


def _told(objects: Objects, key: int) -> str:
    """Return a text or a number, or the type of what is none."""
    kind = objects.type_name(objects.type_of(key))
    if kind == "str":
        return repr(objects.strings([key], CHARACTERS).get(key, ""))
    return str(objects.integer(key)) if kind == "int" else f"<{kind[:CHARACTERS]}>"
