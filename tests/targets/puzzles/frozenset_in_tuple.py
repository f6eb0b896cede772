# holder: ~.GROUPS[1]{…}
"""A member of a frozenset in a tuple."""
from marks import prize

GROUPS = (frozenset(), frozenset([prize(), 7]))
