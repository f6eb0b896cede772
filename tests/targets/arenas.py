"""A heap of some megabytes; what the allocator says of itself goes to standard error."""
import sys
import threading

kept = [str(number) * 3 for number in range(200_000)]
del kept[::2]
print("ready", flush=True)
sys.stdin.readline()
sys._debugmallocstats()
print("told", flush=True)
threading.Event().wait()
