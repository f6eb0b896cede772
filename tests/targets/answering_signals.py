"""Says which signals it gets, each once, and ends with 7 when its input ends."""
import os
import signal
import sys


def say(number, frame):
    os.write(1, b"got %d\n" % number)


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN, signal.SIGWINCH):
    signal.signal(number, say)
os.write(1, b"ready %d\n" % os.getpid())
sys.stdin.read()
os._exit(7)
