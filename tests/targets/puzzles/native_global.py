# holder: <native code>
# holder: <static memory of hoard.so>
"""A static variable of a C extension."""
import hoard
from marks import prize

hoard.keep(prize())
