# holder: ~.SEND.keywords['to']
"""A keyword argument of functools.partial."""
import functools
from marks import prize

SEND = functools.partial(print, to=prize())
