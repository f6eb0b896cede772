"""Collections of every sort that may pile up; a line tells how many entries each shall get more."""
import collections, functools, itertools, queue, sys, threading, weakref

class Session:
    def __init__(self):
        self.events, self.log = [], collections.deque(maxlen=50)
    @functools.lru_cache(maxsize=None)
    def priced(self, number):
        return [number]
class Cache:
    def __init__(self):
        self.items, self.max_items, self._handlers = {}, 5000, {"start": [], "stop": []}

SESSIONS = {number: Session() for number in range(200)}
BY_NAME, WEAK = {"n%d" % key: one for key, one in SESSIONS.items()}, weakref.WeakSet(SESSIONS.values())
CACHE, BUS, JOBS = Cache(), Cache(), queue.Queue(700)
ERRORS, LOCKS, NUMBERS = [], set(), []
def grow(count):
    for number in range(count):
        for session in SESSIONS.values():
            session.events.append(str(number))
        SESSIONS[0].priced(len(NUMBERS)), CACHE.items.update({len(NUMBERS): [number]})
        BUS._handlers["start"].append(Session().priced), BUS._handlers["stop"].append(lambda: number)
        JOBS.put([number]), ERRORS.append(ValueError(number)), NUMBERS.append([number])
        LOCKS.add(threading.Lock())

print("ready", flush=True)
for line in itertools.chain(["300"], sys.stdin):
    grow(int(line))
    print("done", flush=True)
