"""Threads that never stop calling. Every line that calls one of these functions names it."""
import sys
import threading


def leaf(n): return n
def short(n):
    leaf(n)
    return leaf(n + 1)
def loop(n):
    for item in range(n):
        leaf(item)
        short(item)
    return sum(leaf(item) for item in generate(n)) if n else keyed(n)
def keyed(n): return sorted([3, 1], key=lambda item: leaf(item))
def generate(n):
    yield leaf(n)
    yield from (leaf(item) for item in range(n))
def deep(n):
    return deep(n - 1) if n else short(3) + len(str(loop(3)))
def spin():
    while True:
        short(1)
        deep(5)
        loop(2)
        deep(30)
for _ in range(int(sys.argv[1])):
    threading.Thread(target=spin, daemon=True).start()
print("ready", flush=True)
spin()
