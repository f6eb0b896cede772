# holder: ~.STRONG[0]
"""A WeakSet has it, a list holds it."""
import weakref
from marks import prize

STRONG = [prize()]
ALL = weakref.WeakSet(STRONG)
