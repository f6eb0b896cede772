"""A Django service in one file that is healthy, and leaks in nine ways when it is asked to.

    python examples/django_service.py 8000
    curl -X POST localhost:8000/leaks/caches/100
    sudo memprobe attach PID
"""

from __future__ import annotations

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

import leaks

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY=os.urandom(16).hex(), MIDDLEWARE=[])
django.setup()


def item(request: HttpRequest, number: int) -> JsonResponse:
    """Answer, and forget nothing but the answer."""
    return JsonResponse({"number": number, "digits": [int(digit) for digit in str(number**20)]})


def leak(request: HttpRequest, kind: str, count: int) -> JsonResponse:
    """Leak so many things of a kind."""
    if request.method != "POST":
        return JsonResponse({"detail": "POST it"}, status=405)
    try:
        leaks.leak(kind, count)
    except ValueError as error:
        return JsonResponse({"detail": str(error)}, status=404)
    return JsonResponse({"kind": kind, "leaked": count})


def ready(request: HttpRequest) -> JsonResponse:
    """Tell who this is."""
    return JsonResponse({"pid": os.getpid()})


urlpatterns = [
    path("items/<int:number>", item),
    path("leaks/<str:kind>/<int:count>", leak),
    path("ready", ready),
]


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, and none for ever."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *words: object) -> None:
        """Say nothing of a request."""


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), Server, Quiet).serve_forever()
