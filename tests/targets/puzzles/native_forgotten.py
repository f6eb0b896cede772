# holder: <native code>
"""A C extension that forgot a decref: nothing refers to it any more."""
import hoard
from marks import prize

hoard.forget(prize())
