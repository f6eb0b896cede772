# holder: <interpreter 0>.codec_error_registry[…].__closure__.marker
"""A handler of codec errors, which the interpreter keeps."""
import codecs
from marks import prize

def install(marker):
    codecs.register_error("puzzle", lambda error: (marker, 0))

install(prize())
