# holder: ~.HANDLERS[0].__self__
"""A bound method in a list of handlers."""
from marks import keep

class Listener:
    def on_event(self):
        pass

HANDLERS = [keep(Listener()).on_event]
