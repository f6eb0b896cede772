"""What holders are called: short, and the same from look to look and from run to run.

app.cache.SESSIONS                           as its path says, if that begins in a module
app.pool.Pool.buffers                        the attribute of a class, if the path to the instance leads over
                                             local variables or Python's own tables
<frame app:main>.local rows                  a local variable, however its frame is held
<thread 'MainThread'> app:main local rows    without the number of the thread
asyncio.base_events.Loop._scheduled          not asyncio.events._event_loop_policy._local._loop._scheduled
error.__traceback__.tb_next…                 the links of a chain as one
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from memprobe.heap.holders import generalised
from memprobe.heap.naming import Path
from memprobe.vocab.digest import blake2b

CACHE = ".<cache>"
"""What an lru_cache has inside: nobody says so."""

ClassOf = Callable[[int], str]
"""Says of the object at an address what its class is called, if Python code made the class; else ""."""

_FRAME = " <frame "
_THREAD = re.compile(r"<thread \d+ ")
_NUMBER = re.compile(r"\d+")
_HIDDEN = ("[…]", "{…}")
_REPEATED = re.compile(r"(\.\w+)(?:\1| ?… \d+ objects … ?)+")
_ROOT = re.compile(r"[\w]+")
_PRIVATE = re.compile(r"[a-z_]+(?:\.[a-z_]+)*\._[a-z_]+\.")


def holder_text(path: Path, class_of: ClassOf, last: int = -1) -> str:
    """Return what the holder at the end of a path is called, or the one at an earlier place of it."""
    end = path.ends[last]
    named = []
    for place in range(last % len(path.places) - 1, 0, -1):
        start = path.ends[place]
        attribute = path.text[start:end]
        name = class_of(path.places[place].address) if attribute.startswith(".") else ""
        if name and _is_fleeting(path.text[:start]):
            named.append(f"{name}{attribute}")
            if not _is_pythons(name):
                return _short(named[-1])
    return _short(named[0] if named else path.text[:end])


def holders_above(path: Path, class_of: ClassOf) -> tuple[str, ...]:
    """Return what the collections are called that a path passes through, the outermost first."""
    found = []
    for place in range(len(path.places) - 1):
        step = path.text[path.ends[place] : path.ends[place + 1]]
        if path.ends[place] and generalised(step).startswith(_HIDDEN):
            found.append(holder_text(path, class_of, place))
    return tuple(dict.fromkeys(found))


def _is_fleeting(way: str) -> bool:
    """Say whether a way may be another one at the next look."""
    if way.startswith("<") or _FRAME in way:
        return True
    # What begins at a name that Python keeps to itself is elsewhere in another version.
    is_private = _PRIVATE.match(way) is not None
    return _is_pythons(way) and (is_private or any(hidden in generalised(way) for hidden in _HIDDEN))


def _is_pythons(name: str) -> bool:
    """Say whether a name begins in a module of Python's own library."""
    root = _ROOT.match(name)
    return root is not None and root[0] in sys.stdlib_module_names


def _short(text: str) -> str:
    text = _THREAD.sub("<thread ", _REPEATED.sub(r"\1…", generalised(text)))
    return text[text.rfind(_FRAME) + 1 :].removesuffix(CACHE)


def stable_number(text: str) -> int:
    """Return a number for a name that is the same in every run, whatever numbers it has in it."""
    stem = _NUMBER.sub("#", text)
    return int.from_bytes(blake2b(stem.encode(errors="replace"), digest_size=8).digest(), "little")
