# holder: ~.load.<cache>[…]
"""functools.lru_cache(None)."""
import functools
from marks import prize

@functools.lru_cache(maxsize=None)
def load(name):
    return prize()

load("it")
