# holder: ~.EXTRA.data[…]
"""A value in a WeakKeyDictionary is held strongly."""
import weakref
from marks import prize

class Key:
    pass

KEY = Key()
EXTRA = weakref.WeakKeyDictionary({KEY: prize()})
