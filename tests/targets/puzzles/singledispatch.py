# holder: ~.render.__closure__.registry[…].__closure__.style
# holder: ~.render.registry[…].__closure__.style
# holder: ~.render.dispatch.__closure__.registry[…].__closure__.style
"""A function that was registered for a type."""
import functools
from marks import prize

@functools.singledispatch
def render(thing):
    pass

def make(style):
    return lambda thing: style

render.register(int, make(prize()))
