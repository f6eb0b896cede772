# holder: ~.append.__defaults__[0][0]
"""The mutable default argument."""
from marks import prize

def append(item, to=[]):
    to.append(item)

append(prize())
