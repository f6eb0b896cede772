# holder: ~.LAST.__traceback__.tb_next <frame ~:fail>.local big
"""A kept exception keeps the locals of the frames it came through."""
from marks import prize

def fail():
    big = prize()
    raise LookupError("no such thing")

try:
    fail()
except LookupError as error:
    LAST = error
