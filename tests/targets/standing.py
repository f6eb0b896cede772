"""Where a thread comes to stand for ever, and a count of those who do.

A place is one call into C: it notes who has come, and waits for a lock that nobody lets go of. The interpreter's
own lock is let go of in the wait only, so whoever sees the note sees a thread that waits.
"""
import functools, gc, operator, threading, time

ARRIVED = []
gc.disable()  # a collection between the two would run code


def place():
    held = threading.Lock()
    held.acquire()
    steps = functools.partial(ARRIVED.append, None), held.acquire
    return functools.partial(list, map(operator.methodcaller("__call__"), steps))


def wait_for(count):
    while len(ARRIVED) < count:
        time.sleep(0.01)
