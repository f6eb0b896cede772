"""A busy target: it allocates, calls and keeps the longest gap between two of its own clock ticks."""
import select
import sys
import threading
import time


def work(depth):
    return [str(n) for n in range(20)] if depth == 0 else work(depth - 1)


kept = [{"n": n, "payload": "x" * 100} for n in range(int(sys.argv[1]))]
for _ in range(10):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
# A line in starts a measurement, the next one ends it; out comes the longest gap in nanoseconds.
while sys.stdin.readline():
    longest = 0
    print("started", flush=True)
    last = time.perf_counter_ns()
    while not select.select([sys.stdin], [], [], 0)[0]:
        work(10)
        now = time.perf_counter_ns()
        longest = max(longest, now - last)
        last = now
    sys.stdin.readline()
    print(longest, flush=True)
