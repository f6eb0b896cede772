# holder: ~.BOUND.__self__
"""types.MethodType binds anything."""
import types
from marks import prize

BOUND = types.MethodType(lambda self: 1, prize())
