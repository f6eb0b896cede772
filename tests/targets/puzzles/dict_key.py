# holder: ~.SEEN.keys()[…]
"""The key of a dict, not a value."""
from marks import prize

SEEN = {prize(): True, 1: False}
