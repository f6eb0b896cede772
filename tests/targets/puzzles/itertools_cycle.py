# holder: ~.ROUND.<saved>[0]
"""itertools.cycle saves what it has seen."""
import itertools
from marks import prize

ROUND = itertools.cycle(prize() for _ in range(1))
next(ROUND), next(ROUND)
