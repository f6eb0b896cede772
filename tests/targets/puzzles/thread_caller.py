# holder: <thread N 'outer'> ~:Worker.run local batch[…]
# holder: <thread N 'outer'> ~:run local batch[…]
"""A local variable of the caller of the function that a thread waits in."""
import threading
from marks import prize, started

class Worker:
    def run(self):
        batch = {1: prize()}
        self.wait(threading.Event())
        print(batch)

    def wait(self, event):
        started()
        event.wait()

threading.Thread(target=Worker().run, name="outer", daemon=True).start()
