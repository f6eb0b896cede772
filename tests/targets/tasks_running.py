"""Tasks that run just now and hold their loop up; from 3.12 on one was begun eagerly by another."""
import asyncio, sys, threading, telling_tasks
forever = threading.Event()
def blocks(): telling_tasks.serve() or forever.wait()
async def inner(n): return await inner(n - 1) if n else blocks()
async def source():
    yield 1
    yield await inner(2)
async def begun(): return [one async for one in source()]
async def outer(): return await asyncio.get_running_loop().create_task(begun())
async def waits(): await asyncio.sleep(10_000)
async def main():
    loop = asyncio.get_running_loop()
    telling_tasks.kept += [loop.create_task(waits())]
    await asyncio.sleep(0.05)
    if sys.version_info >= (3, 12): loop.set_task_factory(asyncio.eager_task_factory)
    telling_tasks.more["running"] = lambda: [*frames(sys._current_frames()[threading.main_thread().ident])]
    await loop.create_task(outer())
def frames(frame):
    while frame is not None:
        if "threading" not in frame.f_code.co_filename: yield telling_tasks.place(frame)
        frame = frame.f_back
asyncio.new_event_loop().run_until_complete(main())
