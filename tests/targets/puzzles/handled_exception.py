# holder: <thread N 'handler'> exception.args[0]
"""The exception that a thread is handling, without a name for it."""
import threading
from marks import prize, started

def handle():
    try:
        raise ValueError(prize())
    except ValueError:
        started()
        threading.Event().wait()

threading.Thread(target=handle, name="handler", daemon=True).start()
