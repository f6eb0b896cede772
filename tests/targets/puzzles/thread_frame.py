# holder: <thread N 'poller'> ~:poll local pending[0]
"""A local variable of a thread that waits."""
import threading
from marks import prize, started

def poll(sleep):
    pending = [prize()]
    started()
    sleep.wait()
    print(pending)

threading.Thread(target=poll, args=(threading.Event(),), name="poller", daemon=True).start()
