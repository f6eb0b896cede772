# holder: ~.SEND.args[1]
"""An argument of functools.partial."""
import functools
from marks import prize

SEND = functools.partial(print, 1, prize(), end="")
