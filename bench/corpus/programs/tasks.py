"""asyncio tasks that never end, and tasks that have ended and are kept."""
import asyncio

from service import serve_async


async def handle(number, gate):
    """One request: it waits for something."""
    await gate.wait()
    return number


class Stuck:
    """All wait for an event that is never set; in the healthy program it is set for each."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.gate = asyncio.Event()

    async def serve(self, number):
        gate = asyncio.Event() if self.healthy else self.gate
        asyncio.ensure_future(handle(number, gate))
        if self.healthy:
            gate.set()
            await asyncio.sleep(0)

    def held(self):
        return len(asyncio.all_tasks())


class Ended:
    """A list of all tasks that were ever started; the healthy program forgets those that have ended."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = []

    async def serve(self, number):
        task = asyncio.ensure_future(handle(number, self.gate))
        self.started.append(task)
        if self.healthy:
            task.add_done_callback(self.started.remove)
            await task
            await asyncio.sleep(0)

    def held(self):
        return len(self.started)


async def consume(mailbox):
    while True:
        await mailbox.get()


class Consumers:
    """A task per mailbox that goes on when the mailbox is not used any more."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.consumers = set()

    async def serve(self, number):
        consumer = asyncio.ensure_future(consume(asyncio.Queue()))
        self.consumers.add(consumer)
        await asyncio.sleep(0)
        if self.healthy:
            consumer.cancel()
            self.consumers.discard(consumer)

    def held(self):
        return len(self.consumers)


class Impatient:
    """Waits for a message with a timeout, and forgets to cancel the one that waits."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.inbox = asyncio.Queue()

    async def serve(self, number):
        getter = asyncio.ensure_future(self.inbox.get())
        await asyncio.wait([getter], timeout=0)
        if self.healthy:
            getter.cancel()
            await asyncio.sleep(0)

    def held(self):
        return len(asyncio.all_tasks())


BEHAVIOURS = {"stuck": Stuck, "ended": Ended, "consumers": Consumers, "impatient": Impatient}

if __name__ == "__main__":
    serve_async(BEHAVIOURS)
