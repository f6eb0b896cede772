"""Starts a child when told "fork" (from a thread, with "thread"), a grandchild each; ends or execs when told."""
import os
import sys
import threading


def child():
    if os.fork() == 0:
        grandchild = os.fork()
        if grandchild:
            print(os.getpid(), grandchild, flush=True)
        threading.Event().wait()


print("ready", flush=True)
for line in sys.stdin:
    if line == "fork\n":
        child()
    elif line == "thread\n":
        thread = threading.Thread(target=lambda: (child(), threading.Event().wait()), daemon=True)
        thread.start()
    elif line == "exec\n":
        os.execv(sys.executable, [sys.executable, "-c", "print('other', flush=True); input()"])
    else:
        break
os._exit(0)
