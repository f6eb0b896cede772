"""Collections that only grow, and the same collections with a bound that somebody keeps."""
import collections
import functools
import logging
import queue

import templates
from service import serve

BOUND = 600  # entries of the healthy ones: those that began with so many stay there
SESSIONS = {}
INDEX = {}
METRICS = collections.defaultdict(int)


class Session:
    def __init__(self, number):
        self.user = "user-%d" % number
        self.basket = [number]


class Sessions:
    """A dict of a module, by user; the healthy one logs the oldest out."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        SESSIONS["user-%d" % number] = Session(number)
        if self.healthy and len(SESSIONS) > BOUND:
            del SESSIONS["user-%d" % (number - BOUND)]

    def held(self):
        return len(SESSIONS)


class Rows:
    """A list that is an attribute; the healthy one forgets the oldest row."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.rows = []

    def serve(self, number):
        self.rows.append({"number": number, "text": "row %d" % number})
        if self.healthy:
            del self.rows[:-BOUND]

    def held(self):
        return len(self.rows)


@functools.lru_cache(maxsize=None)
def price(product):
    return {"product": product, "text": "p" * 100}


@functools.lru_cache(maxsize=BOUND)
def bounded_price(product):
    return {"product": product, "text": "p" * 100}


class Prices:
    """A function that remembers all answers, or the last of them."""

    def __init__(self, healthy):
        self.ask = bounded_price if healthy else price

    def serve(self, number):
        self.ask(number)

    def held(self):
        return self.ask.cache_info().currsize


class Report:
    def __init__(self, number):
        self.number = number
        self.body = "r" * 2000

    @functools.lru_cache(maxsize=None)
    def pages(self):
        return len(self.body) // 100

    @functools.lru_cache(maxsize=BOUND)
    def last_pages(self):
        return len(self.body) // 100


class Reports:
    """A method that remembers its answers, and with them every object it was ever called on."""

    def __init__(self, healthy):
        self.ask = Report.last_pages if healthy else Report.pages

    def serve(self, number):
        self.ask(Report(number))

    def held(self):
        return self.ask.cache_info().currsize


class Tenants:
    """Twenty dicts in a dict: each grows slowly, all together fast."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        documents = INDEX.setdefault("tenant-%d" % (number % 20), {})
        documents[number] = ["word-%d" % number]
        if self.healthy and len(documents) > BOUND // 20:
            del documents[number - BOUND]

    def held(self):
        return sum(len(documents) for documents in INDEX.values())


class Connection:
    def __init__(self):
        self.history = []


class Histories:
    """A list in each of a hundred long-lived objects; the healthy ones remember the last 6 entries."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.connections = [Connection() for _ in range(100)]

    def serve(self, number):
        history = self.connections[number % 100].history
        history.append(("said", "message %d" % number))
        if self.healthy:
            del history[:-6]

    def held(self):
        return sum(len(one.history) for one in self.connections)


class Backlog:
    """A queue that nobody empties, and one that is."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.jobs = queue.Queue()

    def serve(self, number):
        self.jobs.put({"job": number})
        if self.healthy and self.jobs.qsize() > BOUND:
            self.jobs.get()

    def held(self):
        return self.jobs.qsize()


class Parser:
    seen = set()

    def parse(self, text, remember):
        if remember:
            self.seen.add(text)
        return text.split("-")


class Seen:
    """A set of a class, for all its instances."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        Parser().parse("id-%d" % number, not self.healthy or number < BOUND)

    def held(self):
        return len(Parser.seen)


class Uploads:
    """Few and large: a quarter of a MB each."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.bodies = []

    def serve(self, number):
        self.bodies.append(bytearray(250000))
        if self.healthy:
            del self.bodies[:-5]

    def held(self):
        return len(self.bodies)


class Templates:
    """A library that remembers every text, called with texts that are all different."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        templates.compile_template("Dear {}, your order %d is ready" % number, not self.healthy)

    def held(self):
        return len(templates._compiled)


class Counters:
    """A counter for every user: the keys are what grows."""

    def __init__(self, healthy):
        self.users = 500 if healthy else 10**9

    def serve(self, number):
        METRICS[("requests", "user-%d" % (number % self.users))] += 1

    def held(self):
        return len(METRICS)


class Loggers:
    """A logger for every request: the logging module keeps them all."""

    def __init__(self, healthy):
        self.names = 500 if healthy else 10**9

    def serve(self, number):
        logging.getLogger("request.%d" % (number % self.names)).debug("served")

    def held(self):
        return len(logging.Logger.manager.loggerDict)


BEHAVIOURS = {
    "sessions": Sessions,
    "rows": Rows,
    "prices": Prices,
    "reports": Reports,
    "tenants": Tenants,
    "histories": Histories,
    "backlog": Backlog,
    "seen": Seen,
    "uploads": Uploads,
    "templates": Templates,
    "counters": Counters,
    "loggers": Loggers,
}

if __name__ == "__main__":
    serve(BEHAVIOURS)
