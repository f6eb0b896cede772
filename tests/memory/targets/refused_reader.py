"""Read another process after process_vm_readv has been forbidden, as container runtimes do it.

refused_reader.py ERRNO PID ADDRESS SIZE: prints what came of it without and with /proc/<pid>/mem.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from array import array

from memprobe.native import read_regions

refusal, pid, address, size = map(int, sys.argv[1:])
number = {"x86_64": 310, "aarch64": 270}[platform.machine()]
# BPF: load the number of the system call; if it is the one, return the errno, else allow it.
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | refusal), (6, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in code))
filter_ = struct.pack("@HP", len(code), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(filter_), 0, 0) == 0, os.strerror(ctypes.get_errno())

mem = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
regions = array("Q", [address, size, 1, 8, address + 8 * 4096 - 16, 64, (1 << 64) - 1, 5, 1, 0])
for mem_fd in (-1, mem):
    room, done = bytearray(size + 77), array("q", [9] * 5)
    try:
        total = read_regions(pid, os.pidfd_open(pid), mem_fd, regions, room, done)
        print(total, list(done), room[:size].hex(), room[size + 8 : size + 24].hex())
    except OSError as error:
        print(errno.errorcode[error.errno or 0], vars(error) == {"pid": pid, "address": address})
