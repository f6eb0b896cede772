# holder: ~.LOCAL.connection
"""threading.local, filled by another thread, which lives on."""
import threading
from marks import prize, started

LOCAL = threading.local()

def fill():
    LOCAL.connection = prize()
    started()
    threading.Event().wait()

threading.Thread(target=fill, name="filler", daemon=True).start()
