# holder: ~.Model.value.fget.__closure__.store[…]
"""A property made by a function, which keeps a store."""
from marks import prize

def stored(name):
    store = {}
    def get(self):
        return store.setdefault(name, prize())
    return property(get)

class Model:
    value = stored("value")

Model().value
