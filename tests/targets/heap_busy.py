"""Holds stable populations while four threads make and drop objects flat out, in cycles and not."""

import os
import threading


class Stable:
    def __init__(self, number):
        self.number, self.load = number, [number]


stable = [
    [Stable(n) for n in range(50_000)],
    [(n, str(n) * 3) for n in range(100_000)],
    [{n: [n]} for n in range(30_000)],
    [float(n) for n in range(80_000)],
]


class Node:
    def __init__(self, other):
        self.other, self.load = other, [other] * 7


class Churned:
    def __init__(self):
        self.a, self.b = self, {1: [2]}


def churn(number):
    kept = [None] * 5000
    at = 0
    while True:
        kept[at] = Churned()
        one = Node(None)
        one.other = Node(one)
        text = [str(at) * 20 for _ in range(20)]
        large = bytearray(at % 3000 * 10), list(range(at % 1000)), set(text)
        at = (at + 1) % len(kept)
        if at == 0:
            full.release()


full = threading.Semaphore(0)
for number in range(4):
    threading.Thread(target=churn, args=(number,), daemon=True).start()
for _ in range(4):
    full.acquire()
print("ready", flush=True)
os.read(0, 1)
