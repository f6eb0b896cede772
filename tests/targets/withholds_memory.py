"""Make whoever reads this process wait for ever: a page that a userfaultfd handler never fills.

With an argument from the first line of input on."""
import ctypes
import fcntl
import mmap
import struct
import sys

SYS_USERFAULTFD, UFFDIO_API, UFFDIO_REGISTER, MISSING = 323, 0xC018AA3F, 0xC020AA00, 1

if sys.argv[1:]:
    print("ready", flush=True)
    sys.stdin.readline()
libc = ctypes.CDLL(None, use_errno=True)
handler = libc.syscall(SYS_USERFAULTFD, 0)
if handler < 0:
    print("refused", flush=True)
    sys.exit()
fcntl.ioctl(handler, UFFDIO_API, struct.pack("QQQ", 0xAA, 0, 0))
page = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
fcntl.ioctl(handler, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, 4096, MISSING, 0)))
# The first word of an interpreter's state in 3.9 to 3.11 points to the next interpreter.
ctypes.pythonapi.PyInterpreterState_Get.restype = ctypes.c_void_p
ctypes.c_void_p.from_address(ctypes.pythonapi.PyInterpreterState_Get()).value = address
print("ready", flush=True)
sys.stdin.read()
