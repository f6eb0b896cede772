"""Calls that are scheduled for much later and never cancelled, in asyncio."""
import asyncio
import sched
import sys
import threading

from service import serve, serve_async

HOUR_S = 3600.0


class Expiry:
    """A timer for every entry, for its end in an hour; the healthy program cancels it when it is done."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.loop = asyncio.get_running_loop()

    async def serve(self, number):
        timer = self.loop.call_later(HOUR_S, self.expire, number)
        if self.healthy:
            timer.cancel()

    def expire(self, number):
        """Nobody waits so long."""

    def held(self):
        return len(self.loop._scheduled)


class Deadlines:
    """A timer with a closure that holds the whole request."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.loop = asyncio.get_running_loop()

    async def serve(self, number):
        body = bytearray(2000)
        timer = self.loop.call_at(self.loop.time() + HOUR_S, lambda: body.clear())
        if self.healthy:
            timer.cancel()

    def held(self):
        return len(self.loop._scheduled)


class Threads:
    """threading.Timer, each with a thread of its own."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        timer = threading.Timer(HOUR_S, self.expire)
        timer.daemon = True
        timer.start()
        if self.healthy:
            timer.cancel()
            timer.join()

    def expire(self):
        """Nobody waits so long."""

    def held(self):
        return threading.active_count()


class Schedule:
    """The scheduler of the standard library."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.scheduler = sched.scheduler()

    def serve(self, number):
        event = self.scheduler.enter(HOUR_S, 0, self.expire, (number,))
        if self.healthy:
            self.scheduler.cancel(event)

    def expire(self, number):
        """Nobody waits so long."""

    def held(self):
        return len(self.scheduler.queue)


LOOPING = {"expiry": Expiry, "deadlines": Deadlines}
BLOCKING = {"threads": Threads, "schedule": Schedule}

if __name__ == "__main__":
    if sys.argv[1] in LOOPING:
        serve_async(LOOPING)
    else:
        serve(BLOCKING)
