"""Has a few thousand objects of every kind that the heap reader knows; some very deep, some large."""
import array
import asyncio
import collections
import functools
import sys
import weakref


class Plain:
    def __init__(self, number):
        self.number, self.name, self.other = number, "plain %d" % number, [number]


Slotted = type("Slotted", (), {"__slots__": ("left", "right", "__weakref__")})
plain = [Plain(n) for n in range(2000)]
cycle = [Plain(n) for n in range(200)]
for one in cycle:
    one.other, one.me = cycle, one
dicts = [{n: str(n), str(n): [n], (n, n): None} for n in range(500)]
sets = [set(range(n)) for n in range(100)] + [frozenset("abc")]
others = [collections.deque(range(200)), collections.OrderedDict(zip("abcdef", plain)), array.array("q", range(99))]
others += [bytearray(5000), b"x" * 9000, "\u20ac" * 5000, 1 << 9999, tuple(range(5000)), list(range(50000)), {}]
others += [dict.fromkeys(range(20000)), functools.lru_cache(3)(str), functools.partial(print, plain), iter(plain)]
weak = [weakref.ref(one) for one in plain] + [weakref.WeakValueDictionary(zip(range(50), cycle))]
generators = [(n for n in (one, plain)) for one in range(50)]
tasks = [asyncio.sleep(one) for one in range(5)]
deep = []
for _ in range(100000):
    deep = [deep]
print("ready", flush=True)
sys.stdin.readline()
