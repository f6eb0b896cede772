"""Mistakes with the standard library, each at its own rate: stdlib.py NAME=RATE..."""

import atexit
import contextvars
import functools
import gc
import io
import itertools
import logging
import mmap
import multiprocessing.pool
import os
import queue
import resource
import select
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

numbers = itertools.count()
kept = {name: [] for name in ("executors", "pools", "files", "processes", "databases", "pollers", "windows")}
jobs = queue.Queue()
errors = []
shop = logging.getLogger("shop")
shop.propagate = False


class Report:
    def __init__(self):
        self.text = "x" * 200

    @functools.lru_cache(maxsize=None)
    def pages(self, number):
        return number


def lru_on_method():
    Report().pages(next(numbers))


@functools.lru_cache(maxsize=None)
def price(item):
    return len(item)


def lru_without_limit():
    price("item %d" % next(numbers))


def logging_handlers():
    shop.addHandler(logging.StreamHandler(io.StringIO()))


def logging_filters():
    logging.getLogger("stock").addFilter(logging.Filter("request %d" % next(numbers)))


def logging_loggers():
    logging.getLogger("client.%d" % next(numbers)).debug("hello")


class Client:
    def __init__(self):
        self.text = "x" * 100
        atexit.register(self.close)

    def close(self):
        pass


def at_exit():
    Client()


class Upload:
    def __init__(self):
        self.text = "x" * 100
        weakref.finalize(self, self.close)

    def close(self):
        pass


def finalizers():
    Upload()


def executors():
    executor = ThreadPoolExecutor(1)
    executor.submit(next, numbers).result()
    kept["executors"].append(executor)


def thread_pools():
    kept["pools"].append(multiprocessing.pool.ThreadPool(1))


def thread_timers():
    timer = threading.Timer(3600, next, (numbers,))
    timer.daemon = True
    timer.start()


def queues():
    jobs.put({"job": next(numbers)})


class Request:
    def __init__(self):
        self.answer = Answer(self)


class Answer:
    def __init__(self, request):
        self.request = request
        self.text = "x" * 100


def collector_off():
    gc.disable()
    Request()


def check(number):
    raise ValueError("number %d" % number)


def exceptions_kept():
    try:
        check(next(numbers))
    except ValueError as error:
        errors.append(error)


def files_kept():
    kept["files"].append(open(__file__))


def files_raw():
    os.open(__file__, os.O_RDONLY)


def process_pipes():
    process = subprocess.Popen(["/bin/true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.wait()
    kept["processes"].append(process)


def databases():
    database = sqlite3.connect(os.path.join(tempfile.gettempdir(), "shop.db"))
    database.execute("PRAGMA user_version").fetchone()
    kept["databases"].append(database)


def pollers():
    kept["pollers"].append(select.epoll())


def mappings():
    file = tempfile.TemporaryFile()
    file.truncate(4096)
    kept["windows"].append(mmap.mmap(file.fileno(), 4096))
    file.close()


def context_variables():
    contextvars.ContextVar("request").set("x" * 100)


def unique_warnings():
    warnings.warn("request %d is slow" % next(numbers), stacklevel=1)


local = threading.local()


def thread_locals():
    if not hasattr(local, "seen"):
        local.seen = []
    local.seen.append(Report())


listener = socket.create_server(("127.0.0.1", 0), backlog=512)
accepted = []


def close_wait():
    socket.create_connection(listener.getsockname()).close()
    accepted.append(listener.accept()[0])


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    warnings.simplefilter("default")
    warnings.showwarning = lambda *said, **named: None
    asked = [argument.partition("=") for argument in sys.argv[1:]]
    due = {name: [0.0, 1 / float(rate)] for name, _, rate in asked}
    print("ready", flush=True)
    begin = time.monotonic()
    while time.monotonic() - begin < 300:
        for name, times in due.items():
            while times[0] <= time.monotonic() - begin:
                times[0] += times[1]
                globals()[name]()
        time.sleep(0.005)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        raise
