"""storm.py LIBRARY: births and deaths of descriptors in C, at the rate that it is told; says how many."""

from __future__ import annotations

import ctypes
import json
import os
import sys


def blow(events_per_s: float, seconds: float) -> int:
    """Two threads of C; this one waits for them."""
    return int(STORM(ctypes.c_double(events_per_s), ctypes.c_double(seconds)))


STORM = ctypes.CDLL(sys.argv[1]).storm
STORM.restype = ctypes.c_long
print(json.dumps({"ready": os.getpid()}), flush=True)
for line in sys.stdin:
    rate, duration = map(float, line.split())
    events = blow(rate, duration)
    print(json.dumps({"events": events, "open": len(os.listdir("/proc/self/fd")) - 1}), flush=True)
