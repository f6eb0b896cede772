"""Several loops in threads; tasks in pure Python, of subclasses, and of somebody else."""
import asyncio, threading, telling_tasks
async def sleeps(n): await asyncio.sleep(10_000 + n)
async def outer(n): await sleeps(n)
class Derived(asyncio.Task):
    extra = "attributes"
class Slotted(asyncio.tasks._PyTask):
    """A task in pure Python whose class adds something."""
class Foreign:
    """Quacks like a task."""
    def __init__(self, coroutine, loop):
        self._coro, self._loop, self._state, self._callbacks = coroutine, loop, "PENDING", []
        self.done = self.cancelled = lambda: False
        self.get_loop, self.get_coro = (lambda: loop), (lambda: coroutine)
        self.get_stack = lambda: [coroutine.cr_frame]
        asyncio._register_task(self)
def made(kind, loop, n): return kind(outer(n), loop=loop)
async def main(kind):
    loop = asyncio.get_running_loop()
    tasks = [made(kind, loop, n) for n in range(25)]
    await asyncio.sleep(0.05)
    telling_tasks.loops.append(loop)
    begun.release()
    await asyncio.wait(tasks)
begun = threading.Semaphore(0)
kinds = [asyncio.Task, asyncio.tasks._PyTask, Derived, Slotted]
for kind in kinds:
    threading.Thread(target=asyncio.run, args=(main(kind),), daemon=True, name=kind.__name__).start()
    begun.acquire()
foreign = [made(Foreign, telling_tasks.loops[0], n) for n in range(5)]
telling_tasks.serve()
threading.Event().wait()
