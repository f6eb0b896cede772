# holder: <thread N 'caller'> ~:work stack[N]*
"""An argument of a call of C code that has not come back, and of nothing else."""
import threading
from marks import prize, started

def wait(_):
    started()
    threading.Event().wait()

def work():
    list(map(wait, iter([1, prize()])))

threading.Thread(target=work, name="caller", daemon=True).start()
