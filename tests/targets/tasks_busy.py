"""Makes and finishes tasks flat out, in two loops, beside some that stay."""
import asyncio, threading
async def short(n):
    if n: await short(n - 1)
    await asyncio.sleep(0)
async def stays(n): await asyncio.sleep(10_000)
async def main():
    loop = asyncio.get_running_loop()
    staying = [loop.create_task(stays(n)) for n in range(100)]
    begun.release()
    while staying:
        await asyncio.gather(*[short(n % 7) for n in range(30)])
        loop.call_later(0.001, len, "").cancel()
begun = threading.Semaphore(0)
for _ in range(2):
    threading.Thread(target=lambda: asyncio.new_event_loop().run_until_complete(main()), daemon=True).start()
    begun.acquire()
print("ready", flush=True)
input()
