"""Objects that are held, and to which a C extension has forgotten some references."""
import json
import sys

sys.path += sys.argv[1:2]
import hoard

class Thing:
    pass

THINGS = [Thing() for _ in range(5)]
EXTRA = {}
for number, extra in enumerate([0, 1, 5, 1000, 0]):
    for _ in range(extra):
        hoard.forget(THINGS[number])
    EXTRA[id(THINGS[number])] = extra
print("ready", json.dumps(EXTRA), flush=True)
input()
