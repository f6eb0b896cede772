# holder: ~.POINT[1]
# holder: ~.POINT.y
"""A field of a named tuple."""
import collections
from marks import prize

POINT = collections.namedtuple("Point", "x y")(1, prize())
