"""Load for the HTTP service where wrk is not installed: keep-alive connections, each asks again at once."""

from __future__ import annotations

import asyncio
import sys

CONNECTIONS = 16
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def ask(port: int) -> None:
    """One connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))


async def main(port: int) -> None:
    """All of them, until killed."""
    await asyncio.gather(*(ask(port) for _ in range(CONNECTIONS)))


asyncio.run(main(int(sys.argv[1])))
