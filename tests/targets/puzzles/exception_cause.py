# holder: ~.LAST.__cause__.args[0]
"""The cause of an exception."""
from marks import prize

LAST = KeyError("x")
LAST.__cause__ = ValueError(prize())
