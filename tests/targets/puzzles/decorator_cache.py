# holder: ~.compute.__closure__.memory[…]
"""A memoizing decorator without a limit."""
import functools
from marks import prize

def memoize(function):
    memory = {}
    @functools.wraps(function)
    def wrapper(key):
        if key not in memory:
            memory[key] = function(key)
        return memory[key]
    return wrapper

@memoize
def compute(key):
    return prize()

compute("key")
