"""Descriptors that are not closed: with an object that is kept, or with none."""
import mmap
import os
import select
import sqlite3
import tempfile

from service import serve

FOLDER = tempfile.gettempdir()
OPEN = {}


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Files:
    """Files by their number, in a dict of the module."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        OPEN[number] = open(os.devnull, "rb")
        if self.healthy:
            OPEN.pop(number).close()

    def held(self):
        return descriptors()


class Raw:
    """Descriptors whose numbers nobody remembers."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        descriptor = self.read_head(__file__)
        if self.healthy:
            os.close(descriptor)

    def read_head(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 100)
        return descriptor

    def held(self):
        return descriptors()


class Pipes:
    """Both ends of a pipe, as numbers."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        for end in os.pipe():
            if self.healthy:
                os.close(end)

    def held(self):
        return descriptors() // 2


class Pollers:
    """An epoll per request, kept in a list."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.pollers = []

    def serve(self, number):
        self.pollers.append(select.epoll())
        if self.healthy:
            self.pollers.pop().close()

    def held(self):
        return descriptors()


class Spools:
    """Temporary files that are deleted and still open."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.spools = []

    def serve(self, number):
        spool = tempfile.TemporaryFile(dir=FOLDER)
        spool.write(b"job %d" % number)
        if self.healthy:
            spool.close()
        else:
            self.spools.append(spool)

    def held(self):
        return descriptors()


class Databases:
    """A connection to a database per request."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.connections = []
        self.path = os.path.join(tempfile.mkdtemp(), "orders.db")

    def serve(self, number):
        connection = sqlite3.connect(self.path)
        connection.execute("create table if not exists orders (number)")
        if self.healthy:
            connection.close()
        else:
            self.connections.append(connection)

    def held(self):
        return descriptors()


class Windows:
    """Mapped files: each keeps a descriptor."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.windows = []

    def serve(self, number):
        with open(__file__, "rb") as file:
            window = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        if self.healthy:
            window.close()
        else:
            self.windows.append(window)

    def held(self):
        return descriptors()


BEHAVIOURS = {
    "files": Files,
    "raw": Raw,
    "pipes": Pipes,
    "pollers": Pollers,
    "spools": Spools,
    "databases": Databases,
    "windows": Windows,
}

if __name__ == "__main__":
    serve(BEHAVIOURS)
