"""Fills six containers without end: one line puts three entries a round, another two, a third takes some out."""
import collections, functools, itertools, sys, threading, time

KEYS, ROUNDS, PACE = itertools.count(), 0, float(sys.argv[1]) if len(sys.argv) > 1 else 0.001
x_dict, x_list, x_set, x_deque, x_ordered = {}, [], set(), collections.deque(), collections.OrderedDict()
x_cached = functools.lru_cache(None)(lambda key: key)


def often():
    for _ in range(3):
        x_dict[next(KEYS)], x_ordered[next(KEYS)] = None, None
        x_list.append(None), x_set.add(next(KEYS)), x_deque.append(None), x_cached(next(KEYS))


def seldom():
    for _ in range(2):
        x_dict[next(KEYS)], x_ordered[next(KEYS)] = None, None
        x_list.append(None), x_set.add(next(KEYS)), x_deque.append(None), x_cached(next(KEYS))


def taking():
    x_dict.popitem(), x_ordered.popitem(last=False), x_set.pop(), x_deque.popleft()
    if len(x_list) > 100:
        x_list.clear()
    if len(x_deque) > 1_000_000:
        [one.clear() for one in (x_dict, x_ordered, x_set, x_deque)], x_cached.cache_clear()


def fill():
    global ROUNDS
    while True:
        often(), seldom(), taking()
        ROUNDS += 1
        if PACE:
            time.sleep(PACE)


threading.Thread(target=fill, daemon=True).start()
print("ready", flush=True)
for _ in sys.stdin:
    print(ROUNDS, flush=True)
