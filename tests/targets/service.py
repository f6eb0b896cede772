"""A target with one of everything that inspect shows; says what it knows of itself, then waits."""
import gc
import json
import os
import socket
import sys
import threading

import standing


def wait_in_a_thread(stand):
    stand()


def answer(said):
    return input(said)  # one call into C says it and waits


threading.Thread(target=wait_in_a_thread, args=(standing.place(),), name="worker-日本", daemon=True).start()
threading.Thread(target=wait_in_a_thread, args=(standing.place(),), name="plain", daemon=False).start()
standing.wait_for(2)
gc.set_threshold(701, 11, 12)
if "no-gc" not in sys.argv:
    gc.enable()  # standing has turned it off
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
answer("ready %s\n" % json.dumps(facts))
