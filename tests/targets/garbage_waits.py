"""Has cycles that nothing refers to, with strings of their own, others that a holder keeps, others frozen."""
import gc
import sys


class Lost:
    def __init__(self, number):
        self.name = "lost number %d" % number
        self.me = self


class Kept(Lost):
    pass


class Frozen(Lost):
    pass


class Holder:
    pass


gc.disable()
gc.collect()
for number in range(100):
    Frozen(number)
gc.freeze()
holder = Holder()
holder.kept = [Kept(number) for number in range(200)]
for number in range(300):
    Lost(number)
print("ready", flush=True)
sys.stdin.readline()
lost = sum(type(one) is Lost for one in gc.get_objects())
unreachable = gc.collect()
print("lost=%d unreachable=%d" % (lost, unreachable), flush=True)
sys.stdin.readline()
