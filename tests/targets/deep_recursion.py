"""A thread that is 12,000 calls deep, which is more than memprobe follows."""
import sys
import threading

held = threading.Lock()
held.acquire()


def down(depth):
    if depth == 0:
        print("ready", flush=True)
        held.acquire()
    down(depth - 1)


sys.setrecursionlimit(20_000)
threading.stack_size(512 << 20)
threading.Thread(target=down, args=(12_000,), daemon=True).start()
threading.Event().wait()
