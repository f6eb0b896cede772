# holder: * <frame ~:work>.local big
"""A local variable of a task that sleeps in a running loop."""
import asyncio
import threading
from marks import prize, started

async def work():
    big = prize()
    asyncio.get_running_loop().call_soon(lambda: started())
    await asyncio.sleep(3600)
    print(big)

def run(loop):
    loop.run_until_complete(work())

threading.Thread(target=run, args=(asyncio.new_event_loop(),), name="loop", daemon=True).start()
