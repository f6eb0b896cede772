# holder: <thread N 'requests'> context['request']
"""A context variable of a thread that waits."""
import contextvars
import threading
from marks import prize, started

REQUEST = contextvars.ContextVar("request")

def serve():
    REQUEST.set(prize())
    started()
    threading.Event().wait()

threading.Thread(target=serve, name="requests", daemon=True).start()
