# holder: weakref.finalize._registry[…].args[0]
"""An argument of weakref.finalize."""
import weakref
from marks import prize

def owner():
    pass

weakref.finalize(owner, print, prize())
