"""Native code takes references to one object and keeps them, from one line; others give back what they take."""
import sys, time

sys.path.insert(0, sys.argv[1])
import hoard


class Shared:
    pass


SHARED = Shared()


def keeping():
    hoard.forget(SHARED)  # known line: keeping


def looking():
    one = SHARED
    return len([one])


for _ in range(100):
    keeping()
print("ready", flush=True)
while True:
    for _ in range(5):
        looking()
    keeping()
    time.sleep(0.002)
