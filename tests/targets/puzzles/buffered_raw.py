# holder: ~.FILE.raw.payload
# holder: ~.FILE.buffer.raw.payload
"""An attribute of a raw stream below a buffered one and a text one."""
import io
from marks import prize

class Raw(io.RawIOBase):
    def readable(self):
        return True

raw = Raw()
raw.payload = prize()
FILE = io.TextIOWrapper(io.BufferedReader(raw))
del raw
