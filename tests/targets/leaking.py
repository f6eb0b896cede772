"""Opens N files and N/2 socket pairs from known lines when told, and keeps them; then says what it has open."""
import json
import os
import socket
import sys

KEPT = []


def open_file():
    KEPT.append(open("/etc/passwd"))  # line 11


def open_pair():
    KEPT.extend(socket.socketpair())  # line 15


print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "exit":
        break
    for number in range(int(line)):
        open_file()
        if number % 2:
            open_pair()
    print(json.dumps(sorted(map(int, os.listdir("/proc/self/fd")))), flush=True)
os._exit(0)
