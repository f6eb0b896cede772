"""Objects of all kinds, each told with its address and with what is in it."""
import json
import threading

def with_attributes(base=object, *arguments, names="abc", **namespace):
    made = type("Made", (base,), namespace)(*arguments)
    for name in names:
        setattr(made, name, "value of %s" % name)
    return made

texts = ["", "ascii", "é", "кухня", "𝒳\U0010ffff", "x" * 5000, "ж" * 500, "\udc80", type("S", (str,), {})("own ж")]
numbers = [0, 1, -1, 2**29, 2**30, -2**30, 2**61 - 1, 2**64, -2**100, True, False]
dicts = [{}, {"a": 1}, {1: 2, "b": 3, None: 4}, {n: n for n in range(300)}, {str(n): n for n in range(70000)}]
dicts += [dict.fromkeys(map(str, range(300))), {n: n for n in range(200)}, with_attributes(names="xyz").__dict__]
for number in range(0, 200, 3):
    del dicts[6][number]
many = ["name%d" % n for n in range(40)]
instances = [with_attributes(), with_attributes(names=many), with_attributes(__slots__=("__dict__", "__weakref__"))]
instances += [with_attributes(base, *arguments) for base, arguments in (
    (tuple, ((1, 2, 3),)), (int, (2**100,)), (int, (-5,)), (str, ("text",)), (list, ([1],)), (dict, ({1: 2},)),
    (Exception, ("oh",)), (bytes, (b"12345",)), (threading.Thread, ()), (float, (1.5,)), (set, ([1],)))]
instances += [with_attributes(), with_attributes()]
instances[-1].__dict__["later"] = "value of later"
del instances[-2].b
told = {"texts": [[id(one), one] for one in texts], "numbers": [[id(one), int(one)] for one in numbers]}
told["dicts"] = [[id(one), [[id(key), id(value)] for key, value in one.items()]] for one in dicts]
told["instances"] = [
    [id(i), {n: id(getattr(i, n)) for n in [*"abc", *many, "later"] if hasattr(i, n)}] for i in instances]
print("ready", json.dumps(told), flush=True)
threading.Event().wait()
