# holder: ~.handler.__closure__.secret
"""A variable that an inner function keeps."""
from marks import prize

def make():
    other, secret = 1, prize()
    def handler():
        return other, secret
    return handler

handler = make()
