"""Have one page that is not there until somebody waits for it, and fill it with zeroes then."""

import ctypes
import fcntl
import mmap
import os
import struct
import sys

SYS_USERFAULTFD, UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE, MISSING = (
    323,
    0xC018AA3F,
    0xC020AA00,
    0xC020AA04,
    1,
)

handler = ctypes.CDLL(None, use_errno=True).syscall(SYS_USERFAULTFD, 0)
if handler < 0:
    print("refused", flush=True)
    sys.exit()
fcntl.ioctl(handler, UFFDIO_API, struct.pack("QQQ", 0xAA, 0, 0))
page = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
fcntl.ioctl(handler, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, 4096, MISSING, 0)))
print(address, flush=True)
sys.stdin.readline()
os.read(handler, 32)  # returns when somebody has touched the page and waits
print("waiting for it", flush=True)
fcntl.ioctl(handler, UFFDIO_ZEROPAGE, bytearray(struct.pack("QQQq", address, 4096, 0, 0)))
sys.stdin.read()
