"""Ends its main thread when it is told to; another thread goes on, and opens a file for every other line."""

import ctypes
import os
import sys
import threading

KEPT = []
told = threading.Event()
main = threading.main_thread().native_id


def has_ended():
    with open(f"/proc/self/task/{main}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def serve():
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            told.set()
            while not has_ended():
                pass
        else:
            KEPT.append(open("/etc/passwd"))
        print(len(KEPT), flush=True)
    os._exit(0)


threading.Thread(target=serve).start()
told.wait()
ctypes.CDLL(None).pthread_exit(None)
