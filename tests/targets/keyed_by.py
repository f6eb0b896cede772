"""A dictionary with keys of all sorts, of which some are gone; the answer says where it is."""

import sys

KEPT = dict.fromkeys(range(1000))
for number in range(0, 1000, 2):
    del KEPT[number]
KEPT.update({"x" * 1000: 1, 7000: 2, -(10**30): 3, (1, "secret"): 4, b"secret": 5, "\u20ac": 6})
print("ready", flush=True)
for _ in sys.stdin:
    print(id(KEPT), flush=True)
