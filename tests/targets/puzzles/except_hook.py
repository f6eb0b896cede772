# holder: sys.excepthook.__closure__.reporter
"""A closure in sys.excepthook."""
import sys
from marks import prize

def install(reporter):
    def hook(*exception):
        print(reporter, *exception)
    sys.excepthook = hook

install(prize())
