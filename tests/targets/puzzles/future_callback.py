# holder: ~.PENDING._callbacks[0][0].args[0]
"""A callback of a future that never comes."""
import asyncio
import functools
from marks import prize

LOOP = asyncio.new_event_loop()
PENDING = LOOP.create_future()
PENDING.add_done_callback(functools.partial(print, prize()))
