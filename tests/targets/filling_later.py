"""Fills a list from a thread that begins when it is told to; its answer is how many entries there are."""
import sys, threading

KEPT, DONE = [], threading.Event()
GO_ON = threading.Semaphore(0)


def fill():
    while True:
        GO_ON.acquire()
        for _ in range(20):
            KEPT.append(None)
        DONE.set()


print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "begin":
        threading.Thread(target=fill, daemon=True).start()
    else:
        GO_ON.release()
        DONE.wait()
        DONE.clear()
    print(len(KEPT), flush=True)
