"""Runs three interpreters, of which two have objects of a class of their own."""

import os

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = """
class Mine:
    pass
held = [Mine() for _ in range(%d)]
"""
made = []
for count in (1000, 2000):
    made.append(interpreters.create())
    run = getattr(interpreters, "run_string")
    run(made[-1], CODE % count)
print("ready", flush=True)
os.read(0, 1)
