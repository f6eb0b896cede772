# holder: ~.REF.__callback__.args[0]
"""The callback of a weak reference."""
import functools
import weakref
from marks import prize

def nothing():
    pass

REF = weakref.ref(nothing, functools.partial(print, prize()))
