# holder: ~.LOOP._scheduled[0]._args[0]
"""An argument of loop.call_later."""
import asyncio
from marks import prize

LOOP = asyncio.new_event_loop()
LOOP.call_later(3600, print, prize())
