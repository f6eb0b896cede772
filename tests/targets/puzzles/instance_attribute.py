# holder: ~.SERVICE.session
"""An attribute of an instance: inline values where a version has them."""
from marks import prize

class Service:
    def __init__(self):
        self.name = "service"
        self.session = prize()

SERVICE = Service()
