"""One thread for each shape of stack, warmed up so that specialised code runs, then blocked."""
import sys
import threading

import shapes_calls
import shapes_classes
import shapes_coroutines
import shapes_statements
import standing
import telling

WARM = 60
shapes = shapes_calls.SHAPES + shapes_classes.SHAPES + shapes_coroutines.SHAPES + shapes_statements.SHAPES

def run(shape):
    for _ in range(WARM):
        shape(int)
    shape(standing.place())


def trace(*_): return trace


if "traced" in sys.argv:
    threading.settrace(trace)
for number, shape in enumerate(shapes):
    threading.Thread(target=run, args=(shape,), name="%d-%s" % (number, shape.__name__), daemon=True).start()
telling.serve(len(shapes) + 1)
run(shapes_calls.recursion)
