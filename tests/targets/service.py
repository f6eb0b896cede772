"""A target with one of everything that inspect shows; says what it knows of itself, then waits."""
import gc
import json
import os
import socket
import sys
import threading

started = threading.Barrier(3)


def wait_in_a_thread(event):
    started.wait()
    event.wait()


def answer():
    return sys.stdin.readline()


event = threading.Event()
threading.Thread(target=wait_in_a_thread, args=(event,), name="worker-日本", daemon=True).start()
threading.Thread(target=wait_in_a_thread, args=(event,), name="plain", daemon=False).start()
started.wait()
gc.set_threshold(701, 11, 12)
if "no-gc" in sys.argv:
    gc.disable()
files = [open(os.devnull) for _ in range(5)]
pair = socket.socketpair()
facts = {
    "pid": os.getpid(),
    "version": sys.version.split()[0],
    "hexversion": sys.hexversion,
    "thresholds": gc.get_threshold(),
    "threads": [[thread.name, thread.daemon, thread.ident] for thread in threading.enumerate()],
    "fds": len(os.listdir("/proc/self/fd")) - 1,
    "uid": os.getuid(),
}
print("ready", json.dumps(facts), flush=True)
answer()
