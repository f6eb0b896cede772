"""Executors with known work in their queues, and futures that nobody asks about."""
import asyncio, threading, telling_tasks
from concurrent.futures import ThreadPoolExecutor
forever, begun = threading.Event(), threading.Semaphore(0)
def work(n): begun.release() or forever.wait()
class Other:
    def method(self, n): forever.wait()
async def fails(): raise KeyError("lost")
async def main():
    loop = asyncio.get_running_loop()
    busy, idle = ThreadPoolExecutor(3, "busy"), ThreadPoolExecutor(4, "idle")
    submitted = [busy.submit(work, n) for n in range(40)] + [busy.submit(Other().method, n) for n in range(10)]
    [done.result() for done in [idle.submit(len, "x") for _ in range(8)]]
    telling_tasks.kept += [loop.create_task(fails()) for _ in range(6)]
    futures = [loop.create_future() for _ in range(17)]
    failed = [loop.create_future() for _ in range(5)]
    for future in failed: future.set_exception(ValueError())
    waited = [loop.create_future() for _ in range(4)]
    waiting = [loop.create_task(asyncio.wait([one])) for one in waited]
    gone = ThreadPoolExecutor(2, "gone")
    [gone.submit(work, n) for n in range(5)]
    del gone
    for _ in range(3 + 2): begun.acquire()
    while not idle._idle_semaphore._value: await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    telling_tasks.loops.append(loop)
    loop.call_later(0.1, telling_tasks.serve)
    await asyncio.wait(waiting)
asyncio.new_event_loop().run_until_complete(main())
