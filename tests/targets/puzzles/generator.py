# holder: ~.STREAM <frame ~:numbers>.local buffer
"""A local variable of a suspended generator."""
from marks import prize

def numbers():
    buffer = prize()
    yield 1
    print(buffer)

STREAM = numbers()
next(STREAM)
