# holder: ~.WORK <frame ~:work>.local payload
"""A coroutine that awaits something which never comes."""
import types
from marks import prize

@types.coroutine
def pause():
    yield

async def work():
    payload = [prize()][0]
    await pause()
    return payload

WORK = work()
WORK.send(None)
