"""Many objects of one type in several places; how many are where is known."""
import functools
import sys
import threading

sys.path += sys.argv[1:2]
import hoard

class Session:
    def __init__(self, size=0):
        self.payload = bytearray(size)

class Store:
    recent = []

CACHE = {}
WRAPPED = [{"session": Session()} for _ in range(100)]
CACHE.update(("key %d" % number, Session(1000)) for number in range(400))
Store.recent += [Session() for _ in range(50)]
PARTIALS = [functools.partial(print, Session()) for _ in range(30)]

def wait():
    mine = [Session() for _ in range(20)]
    print("ready", flush=True)
    threading.Event().wait()
    return mine

for _ in range(12):
    hoard.forget(Session())
threading.Thread(target=wait, name="worker", daemon=True).start()
input()
