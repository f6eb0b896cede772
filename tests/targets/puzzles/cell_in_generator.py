# holder: ~.STREAM <frame ~:numbers>.local shared
"""A local variable of a generator that an inner function shares (a cell)."""
from marks import prize

def numbers():
    shared = prize()
    def peek():
        return shared
    yield 1
    del peek
    yield 2

STREAM = numbers()
next(STREAM), next(STREAM)
