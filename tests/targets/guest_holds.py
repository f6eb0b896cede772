"""An interpreter beside the main one: in its module and in a frame it holds something."""
import json
import os
import threading

try:
    import _interpreters as interpreters
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string

CODE = """
import os
class Guest:
    pass
KEPT = {"key": Guest()}
def wait():
    pending = [Guest()]
    os.write(%d, b"%%d %%d;" %% (id(KEPT["key"]), id(pending[0])))
    os.read(%d, 1)
    return pending
wait()
"""

told, tells = os.pipe()
never, _ = os.pipe()
guest = interpreters.create()
threading.Thread(target=run, args=(guest, CODE % (tells, never)), name="guest", daemon=True).start()
kept, local = os.read(told, 100).strip(b"; ").split()
print("ready", json.dumps([int(kept), int(local)]), flush=True)
input()
