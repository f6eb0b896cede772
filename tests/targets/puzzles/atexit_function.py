# holder: <atexit>[N].args[0]
"""An argument of a function that is to run at exit."""
import atexit
from marks import prize

atexit.register(len, prize())
