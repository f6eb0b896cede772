"""Tasks in the main interpreter and in another one, where they have names of their own."""
import asyncio, os, threading
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
CODE = """
import asyncio, os
async def inside(n): await asyncio.sleep(10_000 + n)
async def main():
    tasks = [asyncio.ensure_future(inside(n)) for n in range(7)]
    await asyncio.sleep(0.05)
    os.write(%d, b"x")
    await asyncio.wait(tasks)
asyncio.new_event_loop().run_until_complete(main())
"""
async def outside(n): await asyncio.sleep(10_000 + n)
async def main():
    tasks = [asyncio.ensure_future(outside(n)) for n in range(5)]
    await asyncio.get_running_loop().run_in_executor(None, os.read, ready, 1)
    print("ready", flush=True)
    await asyncio.wait(tasks)
ready, begun = os.pipe()
number = interpreters.create()
threading.Thread(target=interpreters.run_string, args=(number, CODE % begun), daemon=True).start()
asyncio.new_event_loop().run_until_complete(main())
