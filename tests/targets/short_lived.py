"""Make short-lived Pythons on demand: one line in (how it ends, after how many microseconds), its pid out."""
import os
import signal
import sys
import time

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody becomes a zombie
print("ready", flush=True)
for line in sys.stdin:
    how, delay_us = line.split()
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    time.sleep(int(delay_us) / 1e6)
    if how == "exec-python":
        os.execv(sys.executable, [sys.executable, "-S", "-E", "-c", "import time; time.sleep(0.1)"])
    if how == "exec-sleep":
        os.execv("/bin/sleep", ["sleep", "0.1"])
    os._exit(0)
