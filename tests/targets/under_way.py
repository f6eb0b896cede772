"""Tasks that wait, tasks that have ended and are kept, timers, a queue that is full, and threads; and garbage."""
import asyncio, concurrent.futures, gc, sys, threading

GO, BEGUN, KEPT = threading.Event(), threading.Semaphore(0), []
POOL = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="pool")

def waiting():
    BEGUN.release()
    GO.wait()
def wanted():
    return 1
async def stuck(event):
    await event.wait()
async def brief():
    return 2
def dropped(loop):
    future = loop.create_future()
    future.set_result([future])

async def main():
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    gc.disable(), [dropped(loop) for _ in range(60)]
    tasks = [loop.create_task(stuck(event)) for _ in range(30)]
    KEPT.extend(loop.create_task(brief()) for _ in range(40))
    timers = [loop.call_later(1000, wanted) for _ in range(50)]
    threads = [threading.Thread(target=waiting, daemon=True) for _ in range(5)]
    [thread.start() for thread in threads], [POOL.submit(waiting) for _ in range(9)]
    [BEGUN.acquire() for _ in range(5 + 2)]
    await asyncio.sleep(0.2)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)

asyncio.run(main())
