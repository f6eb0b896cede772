# holder: signal.getsignal(10).__self__
"""A bound method that handles a signal."""
import signal
from marks import keep

class Reloader:
    def reload(self, number, frame):
        pass

signal.signal(10, keep(Reloader()).reload)
