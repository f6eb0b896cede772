"""object_heap.py OBJECTS [fresh|aged|large]: a heap of a known size that other tools look at from inside.

`fresh` is built in one go. `aged` was built twice as large; three times over half of it was thrown away at
random and some of it built again, and it refers to itself in random order. `large` is of bytes objects as
long as a small block may be, so that gigabytes are made in seconds. Each line on standard input names a
tool to be run here and now; the answer is a line of JSON: the seconds it took, the objects it saw.
"""

from __future__ import annotations

import gc
import json
import random
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

OBJECTS_PER_RECORD = 7
"""The record, its name, tuple, float, int, list; every second has a dict with an int."""
LINKS = 5


class Record:
    """Something that a service would keep: attributes, a key, tags, options, others of its kind."""

    def __init__(self, number: int) -> None:
        self.name = f"record {number}"
        self.key = (number + 100_000, number * 0.5, self.name)
        self.links: list[Any] = [self.name, self.key, None, None, None, None, None]
        if number % 2:
            self.options = {"size": number + 10_000_000, "owner": self.key}


def build_fresh(objects: int) -> list[Record | None]:
    """Records in the order of their addresses, linked to those that came shortly before."""
    records: list[Record | None] = []
    for number in range(objects // OBJECTS_PER_RECORD):
        one = Record(number)
        one.links[2:] = records[-LINKS:]
        records.append(one)
    return records


def build_aged(objects: int) -> list[Record | None]:
    """Records all over the place, a free block beside each, linked to any others."""
    rng = random.Random(5)
    count = objects // OBJECTS_PER_RECORD
    records: list[Record | None] = [Record(number) for number in range(2 * count)]
    for _ in range(3):
        rng.shuffle(records)
        del records[count:]
        records += [Record(number) for number in range(count // 2)]
    rng.shuffle(records)
    del records[count:]
    for one in records:
        if one is not None:
            one.links[2:] = rng.choices(records, k=LINKS)
    return records


def build_large(objects: int) -> list[bytes]:
    """Bytes objects that fill the largest size class: 512 bytes each."""
    return [b"%470d" % number for number in range(objects)]


def run_gc() -> int:
    """Count the tracked objects by type, as many a homemade leak finder does."""
    return sum(Counter(type(one).__name__ for one in gc.get_objects()).values())


def run_guppy() -> int:
    """guppy3: partition the heap by type."""
    import guppy

    return int(guppy.hpy().heap().count)


def run_muppy() -> int:
    """Pympler's muppy: all objects, and their summary by type."""
    from pympler import muppy, summary

    look: Any = summary
    return int(sum(row[1] for row in look.summarize(muppy.get_objects())))


def run_asizeof() -> int:
    """Pympler's asizeof: the size of everything that the records hold."""
    from pympler import asizeof

    look: Any = asizeof
    sizer = look.Asizer()
    sizer.asizesof(heap)
    return len(sizer._seen or ())


def everything() -> Iterator[Any]:
    """All objects that the collector knows, and what they refer to, each once."""
    ahead = gc.get_objects()
    seen: set[int] = set()
    while ahead:
        one = ahead.pop()
        if id(one) not in seen:
            seen.add(id(one))
            ahead.extend(gc.get_referents(one))
            yield one


def run_dump() -> int:
    """What PyHeap has its target do: write address, type, size and referents of every object to a file."""
    count = 0
    with tempfile.TemporaryFile() as file:
        for one in everything():
            count += 1
            referents = [id(other) for other in gc.get_referents(one)]
            row = (id(one), id(type(one)), sys.getsizeof(one), len(referents), *referents)
            file.write(struct.pack(f"<{len(row)}Q", *row))
    return count


class Session:
    """What is leaked."""

    def __init__(self, number: int) -> None:
        self.user = number
        self.name = f"user {number}"
        self.data = {"id": number}


SESSIONS: dict[int, Session] = {}


def leak() -> None:
    """Keep a hundred sessions more every second."""
    while True:
        for _ in range(10):
            SESSIONS[len(SESSIONS)] = Session(len(SESSIONS))
        time.sleep(0.1)


def run_leak() -> int:
    """Begin to leak, and go on until the program ends."""
    threading.Thread(target=leak, daemon=True).start()
    return len(SESSIONS)


TOOLS: dict[str, Callable[[], int]] = {
    "gc": run_gc,
    "guppy": run_guppy,
    "muppy": run_muppy,
    "asizeof": run_asizeof,
    "dump": run_dump,
    "leak": run_leak,
}
BUILDERS: dict[str, Callable[[int], Any]] = {"fresh": build_fresh, "aged": build_aged, "large": build_large}


def answer(name: str) -> dict[str, Any]:
    """Run one tool."""
    begun, cpu_begun = time.perf_counter(), time.process_time()
    try:
        objects = TOOLS[name]()
    except ImportError as error:
        return {"missing": str(error)}
    cpu_s = time.process_time() - cpu_begun
    return {"seconds": time.perf_counter() - begun, "cpu_s": cpu_s, "objects": objects}


if __name__ == "__main__":
    gc.disable()
    heap = BUILDERS[sys.argv[2] if len(sys.argv) > 2 else "fresh"](int(sys.argv[1]))
    gc.enable()
    gc.collect()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line.strip())), flush=True)
