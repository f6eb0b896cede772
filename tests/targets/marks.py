"""What the puzzles mark: the address of each one's object, and who must be under way."""
import sys
import threading

ADDRESSES = {}
_begun = {}

class Prize:
    def __init__(self):
        self.number = len(ADDRESSES)

def keep(thing, depth=1):
    name = sys._getframe(depth).f_globals["__name__"]
    ADDRESSES[name.rpartition(".")[2]] = id(thing)
    return thing

def prize():
    return keep(Prize(), depth=2)

def started():
    _begun[sys._getframe(1).f_globals["__name__"]].set()

def wait_until_started(name):
    _begun[name].wait()

def may_start(name):
    _begun[name] = threading.Event()
