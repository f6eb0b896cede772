"""Has as many threads as it is told, all asleep; wakes some, which open from a known line: many_threads.py COUNT."""
import json, os, sys, threading

threading.stack_size(64 * 1024)
GATE, DONE, NEVER = (threading.Semaphore(0) for _ in range(3))
OPENED = []


def wake_and_open():
    GATE.acquire()
    OPENED.append((threading.get_native_id(), os.open("/dev/null", os.O_RDONLY)))  # known line
    DONE.release(), NEVER.acquire()


for _ in range(int(sys.argv[1])):
    threading.Thread(target=wake_and_open, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        GATE.release()
    for _ in range(int(line)):
        DONE.acquire()
    print(json.dumps(OPENED), flush=True)
os._exit(0)
