"""Grows by what it is told, from known lines; says its resident size."""
import gc, mmap, sys

KEPT = []


def small(count):
    KEPT.append([object() for _ in range(count)])  # known line: small


def bytes_(count):
    KEPT.append([bytes(1000) for _ in range(count)])  # known line: bytes


def large(count):
    KEPT.append(bytearray(b"x" * count))  # known line: large


def mapped(count):
    KEPT.append(mmap.mmap(-1, count))
    KEPT[-1].write(b"x" * count)  # known line: mapped


def garbage(count):
    for generation in range(count):
        loop = []
        loop.append(loop)
        del loop
        gc.collect(generation % 3)


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * mmap.PAGESIZE


WAYS = {"small": small, "bytes": bytes_, "large": large, "mapped": mapped, "garbage": garbage}
gc.disable()
print("ready", flush=True)
for line in sys.stdin:
    way, _, count = line.partition(" ")
    before = resident()
    WAYS[way](int(count))
    print(resident() - before, flush=True)
