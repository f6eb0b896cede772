"""A service that keeps what it is asked, and says how much that is."""

SEEN = []


def app(environ, start_response):
    SEEN.append({"path": environ["PATH_INFO"], "body": "x" * 500})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]
