"""Holds some of everything, and tells what gc.get_objects() and sys.getsizeof say about it."""

import array, asyncio, collections, datetime, decimal, functools, gc, io, json, os, sys, threading, types, weakref


class Plain:
    def __init__(self, number):
        self.number, self.text = number, str(number) * 2


class Slotted:
    __slots__ = ("first", "second")


class Listed(list):
    pass


def generate():
    yield 1


def hold(n):
    return [
        [Plain(i) for i in range(n)],
        [Slotted() for _ in range(n)],
        [Listed(range(i % 30)) for i in range(n)],
        [{j: str(j) for j in range(i % 40)} for i in range(n)],
        [set(range(i % 60)) for i in range(n)],
        [frozenset(range(i % 9)) for i in range(n)],
        [tuple([i] * (i % 90)) for i in range(n)],
        [collections.deque(range(i % 200)) for i in range(n)],
        [collections.OrderedDict((j, j) for j in range(i % 20)) for i in range(n)],
        [collections.defaultdict(list, {i: i}) for i in range(n)],
        [bytearray(i % 700) for i in range(n)],
        [bytes(i % 700) for i in range(n)],
        ["\u20ac" * (i % 300) for i in range(n)],
        ["x" * (i % 600) for i in range(n)],
        [1 << (i % 4000) for i in range(n)],
        [float(i) for i in range(n)],
        [generate() for _ in range(n)],
        [functools.partial(hold, i) for i in range(n)],
        [weakref.ref(Plain) for _ in range(2)],
        [datetime.datetime(2000, 1, 1 + i % 28) for i in range(n)],
        [datetime.time(i % 24) for i in range(n)],
        [decimal.Decimal(i) for i in range(n)],
        [(lambda x=i: x) for i in range(n)],
        [type("Made", (), {"a": 1}) for _ in range(n // 50)],
        [io.BytesIO(b"1" * i) for i in range(n // 50)],
        [complex(i, 1) for i in range(n)],
        [slice(i) for i in range(n)],
        [memoryview(b"123") for _ in range(n)],
        [ValueError(i) for i in range(n)],
        [types.SimpleNamespace(a=i) for i in range(n)],
        [array.array("d", range(i % 50)) for i in range(n)],
    ]


held = hold(2000)
answers = {}
counts, sizes, names = {}, {}, {}  # made once: from 3.14 on they are tracked themselves


def tell():
    counts.clear(), sizes.clear(), names.clear()
    for one in gc.get_objects():
        kind = "%x" % id(type(one))
        names[kind] = type(one).__name__
        counts[kind] = counts.get(kind, 0) + 1
        sizes[kind] = sizes.get(kind, 0) + sys.getsizeof(one)
    return counts, sizes, names


gc.collect()
gc.disable()
print("ready", flush=True)
while line := os.read(0, 100).decode():
    answers.clear()
    if line == "stats\n":
        sys._debugmallocstats()
        sys.stderr.flush()
        print("{}", flush=True)
        continue
    answers.update(zip(("counts", "sizes", "names"), tell()))
    kinds = {k: v for k, v in zip("int str bytes float".split(), (int, str, bytes, float))}
    untracked = [x for part in held for x in part if not gc.is_tracked(x)]
    answers["untracked"] = {}
    for one in untracked:
        kind = "%x" % id(type(one))
        c, s, n = answers["untracked"].get(kind, (0, 0, ""))
        answers["untracked"][kind] = c + 1, s + sys.getsizeof(one), type(one).__name__
    text = json.dumps(answers)
    answers.clear()
    del untracked, one
    print(text, flush=True)
    del text
