"""An object of a C type that no table knows, and what it holds; a subclass of it, too."""
import _lsprof
import sys


class Profiler(_lsprof.Profiler):
    __slots__ = ("note",)


def timer():
    return 0


plain, derived = _lsprof.Profiler(timer), Profiler(timer)
derived.note = ["note"]
print("ready", id(timer), id(derived.note), id(plain), id(derived), flush=True)
sys.stdin.read()
