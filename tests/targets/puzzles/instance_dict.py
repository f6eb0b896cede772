# holder: ~.SERVICE.session
"""An attribute of an instance whose __dict__ was asked for."""
from marks import prize

class Service:
    pass

SERVICE = Service()
SERVICE.__dict__["session"] = prize()
