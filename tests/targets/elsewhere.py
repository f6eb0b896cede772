"""Births where no line of the program runs: executors, aiofiles, uvloop. Says the stack of each, as it is in that thread."""
import asyncio, concurrent.futures, json, os, socket, sys, threading

TRUTH, KEPT = {}, []


def stack(frame):
    rows = []
    while frame is not None:
        code = frame.f_code
        rows.append([getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return rows


def opener(path, flags):
    descriptor = os.open(path, flags); TRUTH[descriptor] = stack(sys._getframe())
    return descriptor


def submit_to_pool():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(open, "/etc/passwd", opener=opener) for _ in range(3)]:
            KEPT.append(future.result())
        KEPT.append(pool.submit(os.open, "/etc/hostname", os.O_RDONLY).result())  # in C at once


async def submit_to_loop():
    loop = asyncio.get_running_loop()
    for _ in range(3):
        KEPT.append(await loop.run_in_executor(None, lambda: open("/etc/passwd", opener=opener)))
    KEPT.append(await loop.run_in_executor(None, os.open, "/etc/hostname", os.O_RDONLY))


async def open_with_aiofiles():
    import aiofiles
    for _ in range(3):
        KEPT.append(await aiofiles.open("/etc/passwd", opener=opener))


async def serve_and_connect():
    server = await asyncio.start_server(lambda *pair: KEPT.append(pair), "127.0.0.1", 0)
    for _ in range(3):
        KEPT.append(await asyncio.open_connection(*server.sockets[0].getsockname()))
    await asyncio.sleep(0.2)
    KEPT.append(server)


def serve_on_uvloop():
    import uvloop
    loop = uvloop.new_event_loop()
    KEPT.append(loop)
    loop.run_until_complete(serve_and_connect())  # known line


def work(way):
    WAYS[way]()


WAYS = {
    "pool": submit_to_pool,
    "loop": lambda: asyncio.run(submit_to_loop()),
    "aiofiles": lambda: asyncio.run(open_with_aiofiles()),
    "uvloop": serve_on_uvloop,
}
print("ready", flush=True)
for line in sys.stdin:
    TRUTH.clear(), work(line.strip())
    print(json.dumps(TRUTH), flush=True)
