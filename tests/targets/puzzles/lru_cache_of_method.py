# holder: ~.Client.fetch.<cache>.keys()[…][0]
"""An lru_cache on a method keeps every self."""
import functools
from marks import keep

class Client:
    @functools.lru_cache(maxsize=None)
    def fetch(self, number):
        return number

Client.fetch(keep(Client()), 5)
