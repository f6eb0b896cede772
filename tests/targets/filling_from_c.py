"""Native code fills a list, from one line; another puts in what it takes out again."""
import sys, time

sys.path.insert(0, sys.argv[1])
import hoard

KEPT = []


def filling():
    hoard.fill(KEPT)  # known line: filling


def passing():
    KEPT.append(None)
    KEPT.pop()


print("ready", flush=True)
while True:
    filling()
    passing()
    time.sleep(0.01)
