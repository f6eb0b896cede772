"""A chain of objects that grows from one line, in no collection; many others are made and die at once."""
import time


class Link:
    def __init__(self, before):
        self.before = before
        self.payload = 3


LAST = None


def passing():
    for _ in range(20):
        Link(None)


def chaining():
    global LAST
    LAST = Link(LAST)  # known line: chaining


print("ready", flush=True)
while True:
    for _ in range(10):
        passing()
        chaining()
    time.sleep(0.02)
