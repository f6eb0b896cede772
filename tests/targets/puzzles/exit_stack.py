# holder: ~.STACK._exit_callbacks[N][1]*
"""A callback of contextlib.ExitStack."""
import contextlib
from marks import prize

def use(thing):
    pass

STACK = contextlib.ExitStack()
STACK.callback(use, prize())
