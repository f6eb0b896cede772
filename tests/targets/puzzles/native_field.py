# holder: ~.BOX.<+16>
"""A field of a type of a C extension that says nothing to the collector."""
import hoard
from marks import prize

BOX = hoard.Box(prize())
