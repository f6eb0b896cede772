"""Writes down what gc.get_referents says of every object of this process: import it, call tell(path)."""
import gc
import json
import sys
from array import array


def names_of(objects):
    kinds = {id(type(one)): type(one) for one in objects}
    return {address: "%s.%s" % (kind.__module__, kind.__qualname__) for address, kind in kinds.items()}


def tell(path):
    gc.collect()
    gc.disable()
    objects = gc.get_objects()
    with open(path + ".json", "w") as file:
        json.dump(names_of(objects), file)
    own = {id(objects), id(sys._getframe())}
    found = array("Q", [0]) * 4000000
    count = 0
    for one in objects:
        if id(one) in own:
            continue
        referents = gc.get_referents(one)
        row = array("Q", [id(one), id(type(one)), len(referents), *map(id, referents)])
        found[count : count + len(row)] = row
        count += len(row)
    with open(path, "wb") as file:
        found[:count].tofile(file)
    objects.clear()
    print("ready", flush=True)
    sys.stdin.read()
