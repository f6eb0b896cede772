"""Fills a list as fast as it can, from three lines in known shares, and empties it now and then."""
import sys, threading, time

KEPT, DONE = [], 0


def often(count):
    for _ in range(count):
        KEPT.append(None)


def sometimes(count):
    for _ in range(count):
        KEPT.append(None)


def seldom(count):
    for _ in range(count):
        KEPT.append(None)


def fill():
    global DONE
    while True:
        often(60)
        sometimes(30)
        seldom(10)
        DONE += 100
        if len(KEPT) > 5_000_000:
            KEPT.clear()
        if PACE:
            time.sleep(PACE)


PACE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
threading.Thread(target=fill, daemon=True).start()
print("ready", flush=True)
for _ in sys.stdin:
    print(DONE, time.monotonic_ns(), flush=True)
