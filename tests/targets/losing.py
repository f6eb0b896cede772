"""Loses 50 sockets or 50 threads every second, or neither."""
import socket
import sys
import threading
import time

KEPT = []
NEVER = threading.Event()
LISTENER = socket.create_server(("127.0.0.1", 0))


def sockets(lost):
    socket.create_connection(LISTENER.getsockname()).close()
    accepted = LISTENER.accept()[0]  # line 14
    KEPT.append(accepted) if lost else accepted.close()


def threads(lost):
    threading.Thread(target=NEVER.wait, args=(None if lost else 0.001,), daemon=True).start()  # line 19


print("ready", flush=True)
while True:
    for lose in (sockets, threads):
        lose(lose.__name__ in sys.argv)
    time.sleep(0.02)
