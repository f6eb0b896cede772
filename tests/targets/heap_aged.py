"""A heap of some 60 MB in which every second object has died, and others have come in between."""

import os
import random


class Common:
    def __init__(self, number):
        self.number, self.name = number, str(number)


class Rare:
    pass


random.seed(7)
held = [Common(n) for n in range(60_000)]
held += [(n, float(n)) for n in range(60_000)]
held += [{n: str(n), "x": n} for n in range(20_000)]
held += [b"x" * (n % 480) for n in range(30_000)]
held += [Rare() for _ in range(300)]
random.shuffle(held)
del held[::2]
held += [[n] * (n % 20) for n in range(40_000)]
held += [Common(n) for n in range(30_000)]
held += [{n, n + 1} for n in range(10_000)]
print("ready", flush=True)
os.read(0, 1)
