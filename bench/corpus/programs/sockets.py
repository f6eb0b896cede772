"""Connections that one side or both sides never close."""
import asyncio
import os
import selectors
import socket
import sys
import threading

from service import serve, serve_async


def sockets():
    ends = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            ends += os.readlink("/proc/self/fd/" + name).startswith("socket:")
        except OSError:
            pass
    return ends


class Server(threading.Thread):
    """Answers; whether it closes what the other side has closed is asked for."""

    def __init__(self, forgets):
        super().__init__(daemon=True)
        self.forgets = forgets
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.forgotten = []
        self.finished = threading.Semaphore(0)
        self.start()

    def run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.listener:
                        self.accept(selector)
                    elif not key.fileobj.recv(100):
                        selector.unregister(key.fileobj)
                        self.finish(key.fileobj)

    def accept(self, selector):
        connection, _ = self.listener.accept()
        selector.register(connection, selectors.EVENT_READ)

    def finish(self, connection):
        if self.forgets:
            self.forgotten.append(connection)
        else:
            connection.close()
        self.finished.release()


class CloseWait:
    """The server does not close what its clients have closed."""

    def __init__(self, healthy):
        self.server = Server(forgets=not healthy)

    def serve(self, number):
        with socket.create_connection(self.server.listener.getsockname()) as client:
            client.sendall(b"hello")
        self.server.finished.acquire()

    def held(self):
        return len(self.server.forgotten)


class Pool:
    """A pool of clients that always makes a new one; the healthy one has at most ten."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.server = Server(forgets=False)
        self.clients = []

    def serve(self, number):
        client = self.take(number)
        client.sendall(b"hello")

    def take(self, number):
        if self.healthy and len(self.clients) == 10:
            return self.clients[number % 10]
        self.clients.append(socket.create_connection(self.server.listener.getsockname()))
        return self.clients[-1]

    def held(self):
        return len(self.clients)


class Datagrams:
    """A socket for every datagram."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.senders = []

    def serve(self, number):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind(("127.0.0.1", 0))
        self.senders.append(sender)
        if self.healthy:
            self.senders.pop().close()

    def held(self):
        return sockets()


class Detached:
    """Descriptors of sockets whose objects are gone."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        near, far = socket.socketpair()
        far.close()
        self.hand_over(near)

    def hand_over(self, near):
        if self.healthy:
            near.close()
        else:
            near.detach()

    def held(self):
        return sockets()


class Streams:
    """asyncio streams whose writers are kept and never closed."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.server = Server(forgets=False)
        self.writers = []

    async def serve(self, number):
        host, port = self.server.listener.getsockname()
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"hello")
        if self.healthy:
            writer.close()
        else:
            self.writers.append(writer)

    def held(self):
        return len(self.writers)


LOOPING = {"streams": Streams}
BLOCKING = {"close-wait": CloseWait, "pool": Pool, "datagrams": Datagrams, "detached": Detached}

if __name__ == "__main__":
    if sys.argv[1] in LOOPING:
        serve_async(LOOPING)
    else:
        serve(BLOCKING)
