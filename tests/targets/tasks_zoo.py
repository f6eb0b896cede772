"""Hundreds of tasks that wait in every way that asyncio has had since 3.8."""
import asyncio, sys, threading, telling_tasks
forever = threading.Event()
async def sleeps(n): await asyncio.sleep(10_000 + n)
async def deep(n): await (deep(n - 1) if n else sleeps(n))
async def numbers(n):
    yield n
    await sleeps(n)
async def iterates(n): return [one async for one in numbers(n)]
async def drives(n):
    source = numbers(n)
    await source.asend(None)
    await source.__anext__()
async def throws(n):
    source = numbers(n)
    await source.asend(None)
    await source.aclose()
    await sleeps(n)
async def fails(n): await asyncio.sleep(0) or 1 // 0
async def inner(n): await fails(n)
class Awaitable:
    def __await__(self): return (yield from sleeps(0).__await__())
async def awaits(n): await Awaitable()
async def holds(lock):
    async with lock: await sleeps(0)
async def waits(condition):
    async with condition: await condition.wait()
async def gathers(n): await asyncio.gather(sleeps(n), asyncio.gather(sleeps(n), sleeps(n)))
async def first(n): await asyncio.wait([asyncio.ensure_future(sleeps(n)) for _ in range(3)])
async def limited(n): await asyncio.wait_for(sleeps(n), 5_000)
async def shields(n): await asyncio.shield(sleeps(n))
async def completes(n): return [await one for one in asyncio.as_completed([sleeps(n), sleeps(n)])]
async def called(n): await asyncio.get_running_loop().run_in_executor(None, forever.wait)
async def not_begun(n): pass
async def main():
    lock, condition, queue, full = asyncio.Lock(), asyncio.Condition(), asyncio.Queue(), asyncio.Queue(1)
    full.put_nowait(0)
    kinds = [sleeps, deep, iterates, drives, throws, awaits, gathers, first, limited, shields, completes, called]
    made = [kind(n) for kind in kinds for n in range(10)] + [deep(50), *(holds(lock) for _ in range(10))]
    made += [waits(condition), queue.get(), full.put(1), asyncio.Event().wait(), asyncio.Semaphore(0).acquire()]
    tasks = [asyncio.ensure_future(one) for one in made]
    if sys.version_info >= (3, 10): tasks.append(asyncio.ensure_future(drives_with_default()))
    for n, task in enumerate(tasks[:20]): getattr(task, "set_name", print)("named %d \x1b[31m" % n)
    telling_tasks.kept += [asyncio.ensure_future(kind(1)) for kind in (inner, inner, deep, shields)]
    await asyncio.sleep(0.05)
    telling_tasks.kept[2].cancel()
    telling_tasks.kept[3].cancel()
    telling_tasks.loops.append(asyncio.get_running_loop())
    asyncio.get_running_loop().call_later(0.2, telling_tasks.serve)
    await asyncio.wait(tasks)
async def drives_with_default():
    source = numbers(1)
    await source.asend(None)
    await anext(source, None)
asyncio.new_event_loop().run_until_complete(main())
