"""A service that hoards sessions in a global, and leaves cycles to a collector that is off."""
import gc
import json
import sys


class Session:
    def __init__(self, number):
        self.number = number
        self.text = "x" * 200 + str(number)


class Node:
    def __init__(self):
        self.me = self


SESSIONS = {}


def grow(count):
    for number in range(len(SESSIONS), len(SESSIONS) + count):
        SESSIONS[number] = Session(number)


gc.disable()
grow(int(sys.argv[1]))
print("ready", flush=True)
# "grow N" adds sessions, "leave N" garbage; the answer says how many objects the collector knows.
for line in sys.stdin:
    word, count = line.split()
    grow(int(count)) if word == "grow" else [Node() for _ in range(int(count))]
    print(json.dumps({"sessions": len(SESSIONS), "tracked": len(gc.get_objects())}), flush=True)
