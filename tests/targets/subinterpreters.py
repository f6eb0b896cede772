"""Interpreters beside the main one: one runs code in a thread of its own, one is idle."""
import os
import threading

import telling

try:
    import _interpreters as interpreters
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string

CODE = """
import os
def inside():
    os.write(%d, b"x")
    os.read(%d, 1)
inside()
"""

entered, enters = os.pipe()
never, _ = os.pipe()
CODE %= enters, never
busy, idle = interpreters.create(), interpreters.create()
threading.Thread(target=run, args=(busy, CODE), name="guest", daemon=True).start()
os.read(entered, 1)
telling.serve()
threading.Event().wait()
