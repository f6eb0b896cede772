"""What healthy programs do beside their work, and what careless detectors take for a leak."""
import functools
import math
import os
import random
import sched
import tempfile
import threading


class Quiet:
    """Nothing else happens; units arrive one by one."""

    def tick(self, now):
        """What is to be done until now."""

    def arrival(self, even):
        """When the unit arrives that would arrive at `even` if all came at even distances."""
        return even


class WarmUp(Quiet):
    """A table of 8,000 rows that is filled fast at first, and ever slower."""

    def __init__(self):
        self.table = {}

    def tick(self, now):
        while len(self.table) < int(8000 * (1 - math.exp(-now / 7))):
            self.table[len(self.table)] = "row %d" % len(self.table) * 8


@functools.lru_cache(maxsize=20000)
def quote(product):
    return {"product": product, "text": "p" * 200}


class Lru(Quiet):
    """A bounded cache that is filled at 250 a second, and is not full before the 80th second."""

    def __init__(self):
        self.asked = 0

    def tick(self, now):
        while self.asked < now * 250:
            quote(self.asked)
            self.asked += 1


class Pool(Quiet):
    """Up to 24 pipes, one more every half second, kept and used from then on."""

    def __init__(self):
        self.pipes = []

    def tick(self, now):
        while len(self.pipes) < min(24, int(now * 2)):
            self.pipes.append(os.pipe())
        for _, writer in self.pipes[:1]:
            os.write(writer, b"")


class Sawtooth(Quiet):
    """300 rows a second in a buffer that is flushed every 9 seconds."""

    def __init__(self):
        self.rows = []
        self.written = 0
        self.flushes = 0

    def tick(self, now):
        if int(now / 9) > self.flushes:
            self.flushes = int(now / 9)
            self.rows.clear()
        while self.written < now * 300:
            self.rows.append({"number": self.written})
            self.written += 1


class Batch(Quiet):
    """Work comes every 5 seconds at once; every 12 seconds 30,000 rows are in memory for 3 of them."""

    def __init__(self):
        self.rows = []

    def tick(self, now):
        if now % 12 < 3 and not self.rows:
            self.rows = [{"row": number} for number in range(30000)]
        elif now % 12 >= 3:
            self.rows = []

    def arrival(self, even):
        return even // 5 * 5


class Bursts(Quiet):
    """Traffic comes in the first 40 % of every 6 seconds; so many requests are in flight at a time."""

    def __init__(self):
        self.in_flight = []

    def tick(self, now):
        wanted = int(400 * (1 + math.sin(now / 6 * 2 * math.pi)))
        del self.in_flight[wanted:]
        while len(self.in_flight) < wanted:
            self.in_flight.append({"request": len(self.in_flight), "body": "b" * 300})

    def arrival(self, even):
        return even // 6 * 6 + even % 6 * 0.4


class Fragmentation(Quiet):
    """Spikes of 150,000 objects at 6 and 20 seconds; one in 60 survives and pins its arena."""

    def __init__(self):
        self.survivors = []
        self.spikes = [6, 20]

    def tick(self, now):
        if self.spikes and now > self.spikes[0]:
            del self.spikes[0]
            random.seed(8)
            rows = [bytes(random.randrange(40, 480)) for _ in range(150000)]
            self.survivors[:] = rows[::60]


class Background(Quiet):
    """Three threads that tick, re-arm what they do next, and open and close files."""

    def __init__(self):
        for number in range(3):
            threading.Thread(target=self.work, args=(0.1 + number / 20,), daemon=True).start()

    def work(self, period):
        schedule = sched.scheduler()

        def once_more():
            with tempfile.TemporaryFile() as file:
                file.write(b"x" * 1000)
            schedule.enter(period, 0, once_more)

        once_more()
        schedule.run()


class Load(Quiet):
    """120,000 rows are loaded between the 4th and the 14th second, and kept for good."""

    def __init__(self):
        self.rows = []

    def tick(self, now):
        while len(self.rows) < min(120000, int(12000 * max(0, now - 4))):
            self.rows.append((len(self.rows), "city-%07d" % len(self.rows)))


NOISES = {
    "none": Quiet,
    "warm-up": WarmUp,
    "lru": Lru,
    "pool": Pool,
    "sawtooth": Sawtooth,
    "batch": Batch,
    "bursts": Bursts,
    "fragmentation": Fragmentation,
    "background": Background,
    "load": Load,
}
