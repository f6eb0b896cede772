"""Tasks that await one another in every way; `expected` says who awaits whom, by name."""
import asyncio, sys, telling_tasks
expected, tasks = {}, {}
async def forever(): await asyncio.sleep(10_000)
def child(parent, number):
    task = tasks[f"{parent}.{number}"] = asyncio.ensure_future(forever())
    expected.setdefault(parent, []).append(f"{parent}.{number}")
    return task
async def direct(name): await child(name, 0)
async def gather(name): await asyncio.gather(child(name, 0), child(name, 1), asyncio.gather(child(name, 2)))
async def wait(name): await asyncio.wait([child(name, n) for n in range(3)])
async def wait_for(name): await asyncio.wait_for(child(name, 0), 1_000)
async def shield(name): await asyncio.shield(child(name, 0))
async def completed(name): return [await one for one in asyncio.as_completed([child(name, n) for n in range(2)])]
async def iterated(name): await (await inner(name))
async def inner(name): return await child(name, 0)
async def group(name):
    async with asyncio.TaskGroup() as group:
        for n in range(3):
            tasks[f"{name}.{n}"] = group.create_task(forever())
            expected.setdefault(name, []).append(f"{name}.{n}")
async def circle(name):
    await asyncio.sleep(0)
    expected[name] = ["circle b" if name == "circle a" else "circle a"]
    await tasks[expected[name][0]]
async def main():
    ways = [direct, gather, wait, wait_for, shield, completed, iterated] + [group] * (sys.version_info >= (3, 11))
    tasks.update((way.__name__, asyncio.ensure_future(way(way.__name__))) for way in ways)
    tasks.update((name, asyncio.ensure_future(circle(name))) for name in ("circle a", "circle b"))
    await asyncio.sleep(0.05)
    names = {name: id(task) for name, task in tasks.items()}
    telling_tasks.more["expected"] = lambda: [names, expected]
    asyncio.get_running_loop().call_later(0.1, telling_tasks.serve)
    await asyncio.Event().wait()
asyncio.new_event_loop().run_until_complete(main())
