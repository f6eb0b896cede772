"""A target with few objects, for golden images: two threads, a known collector, some handles."""
import gc
import os
import sys
import threading

started = threading.Barrier(2)


def wait_in_a_thread(event):
    started.wait()
    event.wait()


def recurse(depth):
    return recurse(depth - 1) if depth else sys.stdin.readline()


event = threading.Event()
threading.Thread(target=wait_in_a_thread, args=(event,), name="worker-日本", daemon=True).start()
started.wait()
gc.set_threshold(701, 11, 12)
files = [open(os.devnull) for _ in range(5)]
print("ready", flush=True)
recurse(20)
