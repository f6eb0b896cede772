# holder: <thread N 'Thread-*> threading:*run local self.args[0]
# holder: <thread N 'late'> threading:*run local self.args[0]
"""An argument of threading.Timer."""
import threading
from marks import prize

TIMER = threading.Timer(3600, print, [prize()])
TIMER.daemon, TIMER.name = True, "late"
TIMER.start()
del TIMER
