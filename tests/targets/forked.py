"""A child of a process with threads: only its main thread is left, and starts new ones."""
import os
import threading

import telling

threading.Thread(target=threading.Event().wait, daemon=True).start()
if os.fork():
    os.wait()
else:
    threading.Thread(target=threading.Event().wait, name="of the child", daemon=True).start()
    print("child", os.getpid(), flush=True)
    telling.serve()
    threading.Event().wait()
