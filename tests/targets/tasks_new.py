"""Tasks that wait in ways that came with 3.11 and later; eager ones where there are any."""
import asyncio, sys, telling_tasks
async def sleeps(n): await asyncio.sleep(10_000 + n)
async def group(n):
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3): tasks.create_task(sleeps(n))
async def nested_groups(n):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(group(n))
        await sleeps(n)
async def limited(n):
    async with asyncio.timeout(9_000): await sleeps(n)
async def meets(barrier): await barrier.wait()
async def done_at_once(n): return n
async def main():
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12): loop.set_task_factory(asyncio.eager_task_factory)
    made = [kind(n) for kind in (sleeps, group, nested_groups, limited) for n in range(20)]
    barrier = asyncio.Barrier(100)
    tasks = [loop.create_task(one) for one in [*made, *(meets(barrier) for _ in range(20))]]
    telling_tasks.kept += [loop.create_task(done_at_once(n)) for n in range(5)]
    telling_tasks.loops.append(loop)
    loop.call_later(0.2, telling_tasks.serve)
    await asyncio.wait(tasks)
asyncio.run(main())
