# holder: <interpreter 0>.before_forkers[N].__closure__.marker
"""A function that is to run before a fork."""
import os
from marks import prize

def install(marker):
    os.register_at_fork(before=lambda: marker)

install(prize())
