# holder: ~.PAIRS.<iterated>[1].<iterated>[0]
"""A list that a zip runs over."""
from marks import prize

PAIRS = zip(range(3), [prize(), 2])
next(iter([1]))
