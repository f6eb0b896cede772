"""Containers of every kind that grow, shrink, move, die and are replaced when they are told to."""
import collections
import json
import sys

class Holder:
    pass

HOLDER = Holder()
THINGS = list(range(200))
TABLE = dict.fromkeys(range(300))
MEMBERS = set(range(400))
QUEUE = collections.deque(range(500))
ORDERED = collections.OrderedDict.fromkeys(range(600))
HOLDER.inside = [None] * 700
NESTED = {"deep": [[0] * 800]}
SMALL = [1, 2, 3]

def tell():
    found = [THINGS, TABLE, MEMBERS, QUEUE, ORDERED, HOLDER.inside, NESTED.get("deep", [None])[0]]
    print(json.dumps([[id(one), len(one)] for one in found if one is not None]), flush=True)

line = ""  # it is there already: the names of the module stay where they are
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    tell()
