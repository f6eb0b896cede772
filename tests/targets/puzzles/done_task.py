# holder: ~.TASKS{…}._result
"""The result of a finished task that stays in a set."""
import asyncio
from marks import prize

TASKS = set()

async def answer():
    return prize()

async def main():
    TASKS.add(asyncio.ensure_future(answer()))
    await asyncio.sleep(0)

LOOP = asyncio.new_event_loop()
LOOP.run_until_complete(main())
