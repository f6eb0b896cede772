"""A linked list of 100,000, a dict of 300,000, objects in 500 places, and cycles that nothing holds."""
import gc
import json

class Link:
    __slots__ = ("next",)
    def __init__(self, following):
        self.next = following

class Scattered:
    pass

class Cycle:
    pass

gc.disable()
LAST = chain = Link(None)
for _ in range(100000):
    chain = Link(chain)
LARGE = {number: None for number in range(300000)}
LARGE["last"] = Scattered()
for number in range(500):
    globals()["variable_%d" % number] = Scattered()
for _ in range(7):
    cycle = Cycle()
    cycle.itself = cycle
address = id(LAST)
del LAST, cycle
print("ready", json.dumps([address, id(LARGE["last"])]), flush=True)
input()
