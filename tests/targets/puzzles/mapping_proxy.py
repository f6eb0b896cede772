# holder: ~.FROZEN[…]
"""A read-only view of a dict that nobody else has."""
import types
from marks import prize

FROZEN = types.MappingProxyType({"key": prize()})
