"""Hold 64 pages of a known pattern; page 8 is not mapped, nor is anything after them."""

import ctypes
import mmap
import os
import sys

PAGE = 4096
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
base = libc.mmap(
    None, 66 * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
)
for page in range(64):
    ctypes.memmove(base + page * PAGE, bytes((page * 31 + i + (i >> 8)) & 255 for i in range(PAGE)), PAGE)
libc.munmap(ctypes.c_void_p(base + 8 * PAGE), ctypes.c_size_t(PAGE))
libc.munmap(ctypes.c_void_p(base + 64 * PAGE), ctypes.c_size_t(2 * PAGE))
print(base, flush=True)
for line in sys.stdin:
    command, _, argument = line.strip().partition(" ")
    if command == "exec":
        os.execv("/bin/sh", ["sh", "-c", "echo done; read _"])
    elif command == "getpid":
        for _ in range(int(argument)):
            os.getpid()
    elif command == "dup":
        for _ in range(int(argument)):
            os.close(libc.dup(0))
    elif command == "exit-leader":
        import threading

        threading.Thread(target=sys.stdin.read).start()
        print("done", flush=True)
        libc.syscall(60, 0)
    print("done", flush=True)
