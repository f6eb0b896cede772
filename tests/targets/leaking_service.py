"""A service that keeps what it is asked; for servers of WSGI and of ASGI."""
SEEN = []


def keep(path):
    SEEN.append({"path": path, "body": "x" * 500})


def app(environ, start_response):
    keep(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]


async def asgi(scope, receive, send):
    keep(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"kept"})
