# holder: ~.LOCAL.connection
"""threading.local, filled by the main thread."""
import threading
from marks import prize

LOCAL = threading.local()
LOCAL.connection = prize()
