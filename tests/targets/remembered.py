"""A bounded lru_cache of lists; a line tells how many more calls to remember."""
import functools, itertools, sys

@functools.lru_cache(maxsize=20000)
def pages(number):
    return [float(number + page) for page in range(20)]

print("ready", flush=True)
for line in itertools.chain(["300"], sys.stdin):
    for _ in range(int(line)):
        pages(pages.cache_info().currsize)
    print("done", flush=True)
