"""Write the line table of every code object of the standard library, and what CPython reads in it."""
import dis
import marshal
import os
import sys


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from code_objects(constant)


def ranges(code):
    if hasattr(code, "co_lines"):
        return code.co_linetable, [(start, end, line or 0) for start, end, line in code.co_lines()]
    starts = list(dis.findlinestarts(code)) + [(len(code.co_code), 0)]
    return code.co_lnotab, [(start, end, line) for (start, line), (end, _) in zip(starts, starts[1:])]


top, ending = os.path.dirname(os.__file__), sys.implementation.cache_tag + ".pyc"
paths = (os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names)
ours = sorted(path for path in paths if path.endswith(ending) and "site-packages" not in path)
for path in ours[:: int(sys.argv[1])]:
    with open(path, "rb") as file:
        module = marshal.loads(file.read()[16:])
    found = [(code.co_firstlineno,) + ranges(code) for code in code_objects(module)]
    sys.stdout.buffer.write(marshal.dumps(found, 2))
