# holder: ~.load.<cache>[…]
"""functools.lru_cache with a limit: its entries are linked."""
import functools
from marks import prize

@functools.lru_cache(maxsize=128)
def load(name):
    return prize() if name == "it" else object()

for name in ("a", "it", "b"):
    load(name)
