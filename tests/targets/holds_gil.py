"""One thread that never lets go of the interpreter's lock, others that want it."""
import itertools
import sys
import threading


def hold():
    print("ready", threading.get_native_id(), flush=True)
    sum(itertools.repeat(0))


for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
if sys.argv[1] == "main":
    hold()
else:
    threading.Thread(target=hold, daemon=True).start()
    threading.Event().wait()
