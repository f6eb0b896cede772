"""Opens a file every 20 ms and keeps it."""
import time

KEPT = []
print("ready", flush=True)
while True:
    KEPT.append(open("/etc/passwd"))
    time.sleep(0.02)
