# holder: ~.OPEN.gen <frame ~:resource>.local handle
"""A generator-based context manager that was entered and not left."""
import contextlib
from marks import prize

@contextlib.contextmanager
def resource():
    handle = prize()
    yield
    del handle

OPEN = resource()
OPEN.__enter__()
