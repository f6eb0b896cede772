"""What the programs of this corpus have in common: their arguments, their pace, and saying what they hold."""
import argparse
import asyncio
import os
import resource
import time

import noise

AT_MOST_S = 0.05  # between two looks at the clock: noise goes on while a slow program waits


class Clock:
    """Seconds since the start: real ones, compressed ones, or virtual ones that take no time."""

    def __init__(self, speed, virtual):
        self.speed = speed
        self.virtual = virtual
        self.start = time.monotonic()
        self.slept = 0.0

    def now(self):
        return self.slept if self.virtual else (time.monotonic() - self.start) * self.speed

    def pause(self, seconds):
        """What is to be slept for so many seconds of this clock."""
        if self.virtual:
            self.slept += max(seconds, 0.001)
            return 0.0
        return max(seconds, 0.0) / self.speed


def arguments(behaviours):
    parser = argparse.ArgumentParser()
    parser.add_argument("behaviour", choices=sorted(behaviours))
    parser.add_argument("--healthy", action="store_true", help="do the same without the mistake")
    parser.add_argument("--rate", type=float, default=20, help="units a second")
    parser.add_argument("--already", type=int, default=0, help="units before the first second")
    parser.add_argument("--noise", choices=sorted(noise.NOISES), default="none")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--speed", type=float, default=1, help="so many seconds pass in one")
    parser.add_argument("--virtual", action="store_true", help="the seconds take no time")
    return parser.parse_args()


class Service:
    """Serves one unit after the other, at the rate and in the rhythm that was asked for."""

    def __init__(self, behaviours):
        self.options = arguments(behaviours)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.program = behaviours[self.options.behaviour](self.options.healthy)

    def begin(self):
        self.noise = noise.NOISES[self.options.noise]()
        print("pid", os.getpid(), flush=True)
        self.held_first = self.program.held()
        self.clock = Clock(self.options.speed, self.options.virtual)
        self.number = self.options.already

    def due(self):
        """Make noise, and say whether the next unit is to be served now."""
        now = self.clock.now()
        self.noise.tick(now)
        return self.next_s() <= now

    def next_s(self):
        return self.noise.arrival((self.number - self.options.already) / self.options.rate)

    def goes_on(self):
        return self.clock.now() < self.options.seconds

    def pause(self):
        return self.clock.pause(min(self.next_s() - self.clock.now(), AT_MOST_S * self.options.speed))

    def end(self):
        held = self.program.held()
        print("held", self.held_first, held, "after", round(self.clock.now(), 1), flush=True)
        os._exit(0)

    def run(self):
        for number in range(self.options.already):
            self.program.serve(number)
        self.begin()
        while self.goes_on():
            while self.due() and self.goes_on():
                self.program.serve(self.number)
                self.number += 1
            time.sleep(self.pause())
        self.end()

    async def run_async(self):
        for number in range(self.options.already):
            await self.program.serve(number)
        await asyncio.sleep(0)
        self.begin()
        while self.goes_on():
            while self.due() and self.goes_on():
                await self.program.serve(self.number)
                self.number += 1
            await asyncio.sleep(self.pause())
        self.end()


def serve(behaviours):
    """Run what the command line names."""
    Service(behaviours).run()


def serve_async(behaviours):
    """The same for programs whose `serve` is a coroutine."""

    async def main():
        await Service(behaviours).run_async()

    asyncio.run(main())
