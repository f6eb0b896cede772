# holder: ~.MEMBERS{…}
"""A member of a set."""
from marks import prize

MEMBERS = {prize(), 1, "two"}
