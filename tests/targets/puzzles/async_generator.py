# holder: ~.FEED <frame ~:feed>.local chunk
"""An asynchronous generator in the middle."""
from marks import prize

async def feed():
    chunk = prize()
    yield 1
    print(chunk)

FEED = feed()
try:
    FEED.asend(None).send(None)
except StopIteration:
    pass
