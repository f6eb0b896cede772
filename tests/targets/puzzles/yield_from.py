# holder: ~.OUTER <frame ~:outer>.stack[N] <frame ~:inner>.local data
"""A generator that another one delegates to."""
from marks import prize

def inner():
    data = prize()
    yield data and 1

def outer():
    unused = 1
    yield from inner()

OUTER = outer()
next(OUTER)
