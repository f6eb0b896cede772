"""Leaks 50 files a second, and in each of two workers 50 entries of a cache a second, until it is killed."""

import os
import time

CACHE = {}
FILES = []


class Entry:
    pass


def remember(number):
    CACHE[number] = Entry()  # line 15


def open_file(number):
    FILES.append(open("/etc/passwd"))  # line 19


parent = os.getpid()
is_worker = not os.fork() or not os.fork()
if not is_worker:
    print("ready", flush=True)
for number in range(10000):
    (remember if is_worker else open_file)(number)
    time.sleep(0.02)
    if is_worker and os.getppid() != parent:
        break
