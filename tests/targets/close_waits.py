"""Connections that the other end has closed, as many as it is told."""
import socket
import sys

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(100)
held = []
for _ in range(int(sys.argv[1])):
    client = socket.create_connection(server.getsockname())
    held.append(server.accept()[0])
    client.close()
print("ready", flush=True)
sys.stdin.readline()
