"""Cycles that are not collected, and what exceptions keep alive."""
import gc
import sys

from service import serve

ERRORS = []
COLLECT_EVERY = 60


def alive(kind):
    return sum(type(one) is kind for one in gc.get_objects())


class Request:
    def __init__(self, number):
        self.number = number
        self.body = bytearray(800)
        self.answer = Answer(self)


class Answer:
    def __init__(self, request):
        self.request = request


class CollectorOff:
    """Every request leaves a cycle; the healthy program leaves the collector on."""

    def __init__(self, healthy):
        if not healthy:
            gc.disable()

    def serve(self, number):
        Request(number)

    def held(self):
        return alive(Request)


class Threshold:
    """The collector would begin after millions; the healthy program collects by hand."""

    def __init__(self, healthy):
        self.healthy = healthy
        gc.set_threshold(10_000_000)

    def serve(self, number):
        Request(number)
        if self.healthy and number % COLLECT_EVERY == 0:
            gc.collect()

    def held(self):
        return alive(Request)


class Transaction:
    def __init__(self, number):
        self.number = number
        self.rows = list(range(50))
        self.undo = self.roll_back

    def roll_back(self):
        self.rows.clear()

    def __del__(self):
        self.rows = None


class Finalizers:
    """Cycles of objects with `__del__`, without a collector."""

    def __init__(self, healthy):
        if not healthy:
            gc.disable()

    def serve(self, number):
        Transaction(number)

    def held(self):
        return alive(Transaction)


class Saved:
    """What was collected for debugging is kept in gc.garbage."""

    def __init__(self, healthy):
        if not healthy:
            gc.set_debug(gc.DEBUG_SAVEALL)

    def serve(self, number):
        Request(number)
        if number % 5 == 0:
            gc.collect()

    def held(self):
        return alive(Request)


class Refused(Exception):
    pass


def check(number):
    document = ["line %d" % line for line in range(20)]
    raise Refused("document %d with %d lines" % (number, len(document)))


class Errors:
    """Exceptions with their tracebacks, whose frames hold documents; the healthy program keeps their texts."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        try:
            check(number)
        except Refused as error:
            if self.healthy:
                ERRORS[:] = ERRORS[-99:] + [str(error)]
            else:
                ERRORS.append(error)

    def held(self):
        return len(ERRORS)


class Frames:
    """A function that keeps the exception in a local: a cycle through its own frame, without a collector."""

    def __init__(self, healthy):
        self.healthy = healthy
        if not healthy:
            gc.disable()

    def serve(self, number):
        self.attempt(number)

    def attempt(self, number):
        last_error = None
        try:
            check(number)
        except Refused as error:
            last_error = error
        if self.healthy:
            del last_error
        else:
            sys.stdout.write("" if last_error else "fine")

    def held(self):
        return alive(Refused)


BEHAVIOURS = {
    "collector-off": CollectorOff,
    "threshold": Threshold,
    "finalizers": Finalizers,
    "saved": Saved,
    "errors": Errors,
    "frames": Frames,
}

if __name__ == "__main__":
    serve(BEHAVIOURS)
