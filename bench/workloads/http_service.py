"""An HTTP service (uvicorn, ASGI): builds a JSON answer; every tenth request reads a file from disk."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from progress import Progress

PROGRESS = Progress()
Message = dict[str, Any]


def answer(number: int) -> bytes:
    """What a request costs: some objects, some text, sometimes a file."""
    template = Path(__file__).read_text(encoding="utf-8")[:40] if number % 10 == 0 else "page"
    return json.dumps(
        {"title": template, "items": [{"id": i, "name": f"item {i}"} for i in range(50)]}
    ).encode()


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """One operation is one request."""
    if scope["type"] != "http":
        return
    await receive()
    body = answer(PROGRESS.operations)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    PROGRESS.operations += 1


def main() -> None:
    """Serve on a free port of the loopback."""
    # With the protocol spelled out: only then asyncio sets TCP_NODELAY; 40 ms per answer would hide any cost.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    PROGRESS.begin(port=listener.getsockname()[1])
    config = uvicorn.Config(application, log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
