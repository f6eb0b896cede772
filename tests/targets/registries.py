"""Collections of callables that act as registries, and some that do not."""
import functools
import weakref

class Bus:
    def __init__(self):
        self._handlers = {"start": [], "stop": [], "none": []}
        self.plain = {"a": 1, "b": print}

class Listener:
    def on_event(self):
        pass

def make(number):
    return lambda: number

BUS = Bus()
BUS._handlers["start"] += [Listener().on_event for _ in range(30)]
BUS._handlers["stop"] += [functools.partial(print, number) for number in range(12)]
CALLBACKS = [make(number) for number in range(25)]
SIGNALS = {make(number) for number in range(17)}
kept = [Listener() for _ in range(9)]
strong = tuple(make(number) for number in range(8))
WEAK = weakref.WeakSet(strong)
METHODS = [weakref.WeakMethod(listener.on_event) for listener in kept]
BY_NAME = {"n%d" % number: make(number) for number in range(21)}
NUMBERS = [1, 2, 3] * 50
print("ready", flush=True)
input()
