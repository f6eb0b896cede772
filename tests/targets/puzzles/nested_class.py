# holder: ~.Outer.Inner.state
"""An attribute of a class inside a class."""
from marks import prize

class Outer:
    class Inner:
        state = prize()
