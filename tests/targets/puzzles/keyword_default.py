# holder: ~.connect.__kwdefaults__['pool']
"""The default of a keyword-only argument."""
from marks import prize

def connect(*, pool=prize()):
    return None
