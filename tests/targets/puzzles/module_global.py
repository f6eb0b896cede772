# holder: ~.SESSION
"""An object in a module's namespace."""
from marks import prize

SESSION = prize()
