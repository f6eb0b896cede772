# holder: ~.view.state
"""An attribute that was set on a function."""
from marks import prize

def view():
    pass

view.state = prize()
