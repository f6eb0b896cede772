# holder: ~.VIEW.obj
# holder: ~.VIEW
"""The buffer behind a memoryview."""
from marks import keep

class Buffer(bytearray):
    pass

VIEW = memoryview(keep(Buffer(b"xyz")))
