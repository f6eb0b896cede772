"""Fills 12 containers from 8 sorts of callers, in rounds; every line that puts has a known amount a round."""
import collections, functools, itertools, queue, sys, threading, time

AMOUNTS, CHURN, SHIFT = (6, 4, 3, 3, 2, 2, 1, 1), 8, int(sys.argv[1])
KEYS = itertools.count()
LIBRARY = {"KEYS": KEYS}
exec(compile("def by_library(put, c):\n    put(c, next(KEYS))", "/x/site-packages/stored.py", "exec"), LIBRARY)


class Names(dict):
    pass


class Rows(list):
    pass


HELD = {
    "x_dict": {}, "x_list": [], "x_set": set(), "x_deque": collections.deque(), "x_counter": collections.Counter(),
    "x_ordered": collections.OrderedDict(), "x_default": collections.defaultdict(list), "x_names": Names(),
    "x_rows": Rows(), "x_cached": functools.lru_cache(None)(lambda key: key), "x_user": collections.UserDict(),
    "x_queue": queue.Queue(),
}  # fmt: skip
DICT = dict.setdefault, dict.popitem
WAYS = dict.fromkeys(("x_dict", "x_default", "x_counter", "x_names"), DICT)
WAYS.update(dict.fromkeys(("x_list", "x_rows"), (list.append, list.pop)), x_set=(set.add, set.pop))
WAYS["x_deque"] = collections.deque.append, collections.deque.pop
WAYS["x_ordered"] = collections.OrderedDict.setdefault, collections.OrderedDict.popitem
WAYS["x_cached"] = type(HELD["x_cached"]).__call__, None
WAYS["x_user"] = collections.UserDict.setdefault, collections.UserDict.popitem
WAYS["x_queue"] = queue.Queue.put, queue.Queue.get
globals().update(HELD)


def by_function(put, c):
    put(c, next(KEYS))


class Filler:
    def by_method(self, put, c):
        put(c, next(KEYS))


def by_callback(put, c):
    sorted([0], key=lambda _: put(c, next(KEYS)))


def by_generator(put, c):
    yield put(c, next(KEYS))


async def by_coroutine(put, c):
    put(c, next(KEYS))


def by_thread(put, c):
    put(c, next(KEYS))


def by_new_thread(put, c):
    put(c, next(KEYS))


def churn(put, take, c):
    put(c, next(KEYS))
    take(c)


def run(put, c):
    try:
        by_coroutine(put, c).send(None)
    except StopIteration:
        pass


CALLERS = (
    ("by_function", by_function), ("by_method", Filler().by_method), ("by_callback", by_callback),
    ("by_generator", lambda put, c: next(by_generator(put, c))), ("by_coroutine", run), ("by_thread", by_thread),
    ("by_new_thread", by_new_thread), ("by_library", LIBRARY["by_library"]),
)  # fmt: skip
LATER = {"by_thread", "by_new_thread"}


def fill(caller, call):
    for place, (name, c) in enumerate(HELD.items()):
        for _ in range(AMOUNTS[(place + [one for one, _ in CALLERS].index(caller) + SHIFT) % 8]):
            call(WAYS[name][0], c)


def work():
    while True:
        TODO.get()
        fill("by_thread", by_thread)
        DONE.put(None)


def rounds():
    while True:
        for caller, call in CALLERS:
            if caller not in LATER:
                fill(caller, call)
        TODO.put(None)
        DONE.get()
        born = threading.Thread(target=fill, args=("by_new_thread", by_new_thread))
        born.start()
        born.join()
        for name, (put, take) in WAYS.items():
            for _ in range(CHURN if take else 0):
                churn(put, take, HELD[name])
        TIMES.append(time.monotonic_ns())
        time.sleep(0.02)


TODO, DONE, TIMES = queue.Queue(), queue.Queue(), []
for target in (work, rounds):
    threading.Thread(target=target, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    print(*TIMES, flush=True)
