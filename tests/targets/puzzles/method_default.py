# holder: ~.Client.fetch.__defaults__[0]
"""A default argument of a method."""
from marks import prize

class Client:
    def fetch(self, session=prize()):
        pass
