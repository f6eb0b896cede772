"""Mistakes with released packages, each at its own rate: released.py NAME=RATE..."""

import asyncio
import http.server
import itertools
import resource
import sys
import threading
import time

numbers = itertools.count()
kept = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *said):
        pass


def served():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("address http://127.0.0.1:%d/" % server.server_port, flush=True)
    server.serve_forever()


def requests_session():
    import requests

    session = requests.Session()
    session.get(ADDRESS)
    kept.append(session)


def httpx_client():
    import httpx

    client = httpx.Client(verify=False)
    client.get(ADDRESS)
    kept.append(client)


loop = None


def aiohttp_session():
    import aiohttp

    async def get():
        session = aiohttp.ClientSession()
        async with session.get(ADDRESS) as answer:
            await answer.read()
        kept.append(session)

    global loop
    loop = loop or asyncio.new_event_loop()
    loop.run_until_complete(get())


def sqlalchemy_engine():
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite:////tmp/released-engine.db")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("PRAGMA user_version")).fetchall()
    kept.append(engine)


counter = None


def prometheus_labels():
    import prometheus_client

    global counter
    counter = counter or prometheus_client.Counter("requests", "by client", ["client"])
    counter.labels("client %d" % next(numbers)).inc()


def pymongo_client():
    import pymongo

    kept.append(pymongo.MongoClient("127.0.0.1", 9, serverSelectionTimeoutMS=1))


emitter = None


class Widget:
    def refresh(self):
        pass


def pyee_on():
    import pyee

    global emitter
    emitter = emitter or pyee.EventEmitter()
    emitter.on("changed", Widget().refresh)


signal = None


def blinker_connect():
    import blinker

    global signal
    signal = signal or blinker.Signal("changed")
    signal.connect(lambda sender: None, weak=False)


def _django():
    import django
    from django.conf import settings

    if not settings.configured:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        settings.configure(DATABASES={"default": database}, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
        django.setup()


def django_signal():
    _django()
    from django.core.signals import request_finished

    request_finished.connect(lambda **said: None, weak=False)


Order = None
orders = []


def django_querysets():
    global Order
    if Order is None:
        _django()
        from django.db import connection, models

        class Order(models.Model):
            name = models.CharField(max_length=20)

            class Meta:
                app_label = "shop"

        with connection.schema_editor() as editor:
            editor.create_model(Order)
        Order.objects.bulk_create(Order(name="order %d" % number) for number in range(20))
    found = Order.objects.filter(id__lt=10)
    len(found)
    orders.append(found)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asked = [argument.partition("=") for argument in sys.argv[1:]]
    due = {name: [0.0, 1 / float(rate)] for name, _, rate in asked}
    for name in due:
        globals()[name]()
    print("ready", flush=True)
    begin = time.monotonic()
    while time.monotonic() - begin < 300:
        for name, times in due.items():
            while times[0] <= time.monotonic() - begin:
                times[0] += times[1]
                globals()[name]()
        time.sleep(0.005)


if sys.argv[1:] == ["serve"]:
    served()
else:
    import subprocess

    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    ADDRESS = server.stdout.readline().split()[1]
    try:
        main()
    finally:
        server.kill()
