"""Fills a list slowly; when it is told to, it ends or becomes another program."""
import os, sys, threading, time


class Entry:
    pass


KEPT = []


def fill():
    while True:
        KEPT.append(Entry())
        time.sleep(0.01)


threading.Thread(target=fill, daemon=True).start()
print("ready", flush=True)
if sys.stdin.readline().strip() == "exec":
    os.execv("/bin/sleep", ["sleep", "60"])
os._exit(0)
