"""Run a command without some system calls, as container runtimes do it: confined.py ERRNO COMMAND...

A real seccomp filter: ptrace, process_vm_readv, bpf and perf_event_open come back with ERRNO.
"""

import ctypes
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": (101, 310, 321, 298), "aarch64": (117, 270, 280, 241)}
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 6
REFUSE, ALLOW = 0x50000, 0x7FFF0000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2

refusal, command = int(sys.argv[1]), sys.argv[2:]
numbers = NUMBERS[platform.machine()]
code = [(LOAD_NUMBER, 0, 0, 0)]
code += [(JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE | refusal)]
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in code))
sock_fprog = struct.pack("@HP", len(code), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.c_char_p(sock_fprog), 0, 0) == 0, ctypes.get_errno()
os.execvp(command[0], command)
