"""Holds many objects that the collector does not watch, and says how many and how large."""

import json
import os
import sys

N = 50_000
held = {
    "str": [f"{n:08x}" * (1 + n % 5) for n in range(N)],
    "bytes": [b"%d" % n * (1 + n % 90) for n in range(N)],
    "int": [10**6 + n * 3**40 for n in range(N)],
    "float": [n + 0.5 for n in range(N)],
    "complex": [complex(n, 1) for n in range(N)],
}
large = [bytes(n) for n in range(600, 20_600)]
held["bytes"] += large
print("ready", json.dumps({k: (len(v), sum(map(sys.getsizeof, v))) for k, v in held.items()}), flush=True)
os.read(0, 1)
