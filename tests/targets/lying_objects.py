"""Objects that lie about their sizes and tables; whoever follows them goes round in circles or nowhere."""
import collections
import ctypes
import functools
import sys


def word(one, offset, value):
    ctypes.c_uint64.from_address((one if isinstance(one, int) else id(one)) + offset).value = value


def read(one, offset):
    return ctypes.c_uint64.from_address((one if isinstance(one, int) else id(one)) + offset).value


sys.setswitchinterval(1000)
bare = sys.implementation.cache_tag
lists, dicts, sets = [[[1]] * 9 for _ in range(99)], [{str(i): [i] for i in range(9)} for _ in range(99)], [set(range(99)) for _ in range(99)]
deques, links = [collections.deque(range(300)) for _ in range(99)], functools.lru_cache(maxsize=9)(lambda a: [a])
[links(number) for number in range(9)]
held = [bytes(100) for _ in range(9)]
for index, (one, two, three, four) in enumerate(zip(lists, dicts, sets, deques)):
    word(one, 16, [2**62, 2**40, 2**63 + 5, 10**7][index % 4])
    word(one, 24, [read(one, 24), id(held), 2**47 - 8, id(one)][index // 4 % 4])
    word(two, [16, 32, 40][index % 3], [2**62, id(two), id(held[0]) + 32, 10**7][index // 3 % 4])
    word(three, [16, 24, 32, 40][index % 4], [2**62, id(three), 2**40 - 1][index // 4 % 3])
    word(four, 16, [2**62, 10**6][index % 2])
    word(read(four, 24), 520, read(four, 24))
print("ready", flush=True)
sys.stdin.read()
