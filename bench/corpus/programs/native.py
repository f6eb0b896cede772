"""Memory that no Python object explains: lost by C, or objects with a reference too many."""
import ctypes
import mmap

from service import serve

LIBC = ctypes.CDLL(None)
LIBC.strdup.restype = ctypes.c_void_p
LIBC.strdup.argtypes = [ctypes.c_char_p]
LIBC.free.argtypes = [ctypes.c_void_p]
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
WINDOW = 65536


class Counted:
    def __init__(self, healthy):
        self.healthy = healthy
        self.lost = 0

    def held(self):
        return self.lost


class Copies(Counted):
    """A copy of a text by C that nobody frees."""

    def serve(self, number):
        copy = self.parse(b"%d" % number * 500)
        if self.healthy:
            LIBC.free(copy)
        else:
            self.lost += 1

    def parse(self, text):
        return LIBC.strdup(text)


class Mappings(Counted):
    """Anonymous mappings that nobody unmaps."""

    def serve(self, number):
        kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        window = LIBC.mmap(None, WINDOW, mmap.PROT_READ | mmap.PROT_WRITE, kind, -1, 0)
        ctypes.memset(window, 1, WINDOW)
        if self.healthy:
            LIBC.munmap(window, WINDOW)
        else:
            self.lost += 1


class Reading:
    def __init__(self, number):
        self.number = number
        self.values = bytearray(1000)


class References(Counted):
    """Objects with a reference that nobody has: they never go."""

    def serve(self, number):
        self.convert(Reading(number))

    def convert(self, reading):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(reading))
        if self.healthy:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(reading))
        else:
            self.lost += 1


class Texts(Counted):
    """The same with plain bytes, which the collector does not know."""

    def serve(self, number):
        self.encode(number)

    def encode(self, number):
        text = b"%d" % number * 300
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(text))
        if self.healthy:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(text))
        else:
            self.lost += 1


BEHAVIOURS = {"copies": Copies, "mappings": Mappings, "references": References, "texts": Texts}

if __name__ == "__main__":
    serve(BEHAVIOURS)
