"""A generator that never waits, and what only it holds: it says where they are from inside."""
import time


class Held:
    pass


def work():
    held = Held()
    yield
    print("ready", id(generator), id(held), flush=True)
    while True:
        time.sleep(0.001)


generator = work()
next(generator)
next(generator)
