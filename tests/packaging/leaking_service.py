"""A service that keeps what it is asked, and says how much that is."""

from __future__ import annotations

from typing import Any

SEEN: list[Any] = []


def app(environ: Any, start_response: Any) -> list[bytes]:
    SEEN.append({"path": environ["PATH_INFO"], "body": "x" * 500})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]
