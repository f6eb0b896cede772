"""Says how many descriptors it has at its first line, opens two files at line 7, keeps them until its input ends."""
import os
import sys

BEFORE = [number for number in range(64) if os.path.exists("/proc/self/fd/%d" % number)]

KEPT = [open("/etc/passwd"), open("/etc/group")]  # line 7
print("ready", len(BEFORE), flush=True)
sys.stdin.read()
os._exit(0)
