"""A thread that is 12,000 calls deep, which is more than memprobe follows."""
import sys
import threading

import standing

here = standing.place()


def down(depth):
    if depth == 0:
        here()
    down(depth - 1)


sys.setrecursionlimit(20_000)
threading.stack_size(512 << 20)
threading.Thread(target=down, args=(12_000,), daemon=True).start()
standing.wait_for(1)
print("ready", flush=True)
threading.Event().wait()
