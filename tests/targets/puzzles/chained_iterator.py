# holder: ~.ALL.<source>.<iterated>[1][0]
# holder: ~.ALL.<iterated>.<iterated>[1][0]
"""A list that itertools.chain has not come to yet."""
import itertools
from marks import prize

ALL = itertools.chain([1, 2], [prize()])
next(ALL)
