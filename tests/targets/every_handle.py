"""One handle of every kind; says on request what /proc/self/fd says to itself."""
import ctypes
import json
import os
import pty
import select
import socket
import sys
import tempfile

libc = ctypes.CDLL(None)
held = [tempfile.TemporaryFile(), open(os.devnull), socket.socketpair(), os.pipe(), select.epoll()]
held += [pty.openpty()] if os.path.exists("/dev/pts/ptmx") else []
held += [libc.memfd_create(b"mine", 0), libc.eventfd(0, 0), libc.timerfd_create(1, 0), libc.inotify_init()]
held += [libc.signalfd(-1, bytes(128), 0), libc.syscall(434, os.getpid(), 0), libc.syscall(425, 2, bytes(256))]
held += [os.dup(0), os.open("/proc/self/ns/mnt", os.O_RDONLY)]
print("ready", flush=True)
for line in sys.stdin:
    folder = os.open("/proc/self/fd", os.O_RDONLY)
    listed = [name for name in os.listdir(folder) if int(name) != folder]
    listed = [name for name in listed if os.path.lexists("/proc/self/fd/" + name)]
    told = {name: [os.readlink("/proc/self/fd/" + name), os.fstat(int(name)).st_ino] for name in listed}
    os.close(folder)
    print(json.dumps(told), flush=True)
