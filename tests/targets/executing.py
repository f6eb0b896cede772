"""Opens in the worker threads of executors, in the ways that asyncio and concurrent.futures have."""
import asyncio, concurrent.futures, os, sys


def open_in_worker():
    return os.open("/dev/null", os.O_RDONLY)  # known line: 6


async def submit_to_thread():
    return await asyncio.to_thread(open_in_worker)


async def submit_to_loop(*call):
    return await asyncio.get_running_loop().run_in_executor(None, *call)


def submit_to_pool():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(open_in_worker).result()


WAYS = {
    "to_thread": lambda: asyncio.run(submit_to_thread()),
    "run_in_executor": lambda: asyncio.run(submit_to_loop(open_in_worker)),
    "pool": submit_to_pool,
    "c_function": lambda: asyncio.run(submit_to_loop(os.open, "/dev/null", os.O_RDONLY)),
}
print("ready", flush=True)
for line in sys.stdin:
    print(WAYS[line.strip()](), flush=True)
