"""Fills a list without end and counts the signals that it is told to have handlers for, or blocks them."""
import signal, sys, threading, time

KEPT, COUNTS = [], {}


def count(number, _):
    COUNTS[number] = COUNTS.get(number, 0) + 1


def fill():
    if BLOCKED:
        signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    while True:
        KEPT.append(None)
        if len(KEPT) > 1_000_000:
            KEPT.clear()
        if len(KEPT) % 100 == 0:
            time.sleep(0.001)


BLOCKED, NUMBERS = sys.argv[1] == "block", [getattr(signal, name) for name in sys.argv[2:]]
if not BLOCKED:
    for one in NUMBERS:
        signal.signal(one, count)
threading.Thread(target=fill, daemon=True).start()
print("ready", flush=True)
for _ in sys.stdin:
    print(sum(COUNTS.values()), flush=True)
