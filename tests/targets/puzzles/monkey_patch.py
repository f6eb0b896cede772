# holder: json.decoder.leftover
"""An attribute that was set on somebody else's module."""
import json.decoder
from marks import prize

json.decoder.leftover = prize()
