"""Says which signals it gets, each once, and ends with 7 when its input ends."""
import os
import select
import signal

# A handler alone is not enough: it would not run if the signal came just before a call that blocks.
caught, catching = os.pipe()
os.set_blocking(catching, False)
signal.set_wakeup_fd(catching)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN, signal.SIGWINCH):
    signal.signal(number, lambda number, frame: None)
os.write(1, b"ready %d\n" % os.getpid())
while True:
    ready, _, _ = select.select([0, caught], [], [])
    if caught in ready:
        for number in os.read(caught, 64):
            os.write(1, b"got %d\n" % number)
    elif not os.read(0, 64):
        os._exit(7)
