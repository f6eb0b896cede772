"""Containers, classes, functions and what the language itself is made of."""
import collections, functools, inspect, sys, types, typing, weakref  # noqa: E401
import referents
class Plain:
    def __init__(self, count):
        for number in range(count):
            setattr(self, "attribute%d" % number, [number])
    def method(self): return self
    class_method, static_method = classmethod(lambda kind: kind), staticmethod(len)
    prop = property(method, None, None, "doc")
class Slots:
    __slots__ = ("x", "y", "__weakref__")
class MoreSlots(Slots):
    __slots__ = ("z", "unset")
class SlotsAndDict(MoreSlots): pass
def filled(one, **attributes):
    [setattr(one, name, value) for name, value in attributes.items()]
    return one
def closure(x, y=[1], *, z={}):
    later = [x]
    return lambda: (x, y, z, later), inspect.currentframe()
def shrunk(box, keep):
    [box.pop(key) if isinstance(box, dict) else box.discard(key) for key in list(box)[keep:]]
    return box
plain = [Plain(count) for count in (0, 1, 5, 29, 30, 31, 60)] + [filled(vars(Plain(2)), ) if 0 else Plain(2)]
dicts = [vars(Plain(3)), {}, {1: 2, "a": []}, {i: [i] for i in range(999)}, dict.fromkeys("abc", []), shrunk({str(i): [i] for i in range(99)}, 5), types.MappingProxyType({1: []})]
others = [[], [[1]] * 999, (), ((1, []),), {1, "a"}, set(range(999)), shrunk(set(range(99)), 9), frozenset("abc"), slice(1, [2], 3), range(10**20), types.SimpleNamespace(a=[]), super(MoreSlots, SlotsAndDict()), filled(SlotsAndDict(), x=[1], z={}, own=[2]), memoryview(b"abc"), sys.flags, sys.version_info, plain[1].method, [].append, int.__add__, (1).__add__, str.join, dict.__dict__["fromkeys"], closure([1]), weakref.ref(plain[0], print), weakref.proxy(plain[0]), weakref.WeakValueDictionary({1: plain[1]}), weakref.WeakSet(plain[:1]), {}.keys(), {1: []}.items(), typing.List[int], typing.TypeVar("T")]
dicts[0][5] = vars(plain[2])["own"] = ["more"]
changed = Plain(3); changed.__dict__ = {"other": []}; del plain[3].attribute1
referents.tell(sys.argv[1])
