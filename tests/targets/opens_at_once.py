"""Says what it has open at its first line, opens two files at line 8, and keeps them until its input ends."""
import os
import sys

LISTING = os.open("/proc/self/fd", os.O_RDONLY)
BEFORE = sorted(set(os.listdir(LISTING)) - {str(LISTING)})
os.close(LISTING)
KEPT = [open("/etc/passwd"), open("/etc/group")]  # line 8
print("ready", len(BEFORE), flush=True)
sys.stdin.read()
os._exit(0)
