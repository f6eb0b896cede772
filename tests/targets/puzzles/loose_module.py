# holder: ~.PLUGIN.state
"""A module that is not in sys.modules."""
import types
from marks import prize

PLUGIN = types.ModuleType("plugin")
PLUGIN.state = prize()
