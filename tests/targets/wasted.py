"""Cycles that wait, cycles that no collector sees, a chain, and references that nobody has."""
import ctypes, gc, sys

class Node:
    def __init__(self, following=None):
        self.following = following
class Ring(Node):
    pass
class Frozen(Ring):
    pass
class Lost:
    pass
class Chain:
    last = Node()

gc.disable()
def more(count):
    for _ in range(count):
        Chain.last = Node(Chain.last)
        ring, lost = Ring(), Lost()
        ring.following = ring
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))

print("ready", flush=True)
for line in sys.stdin:
    more(int(line))
    ring = lost = None
    print("done", flush=True)
