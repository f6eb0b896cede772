"""Takes and gives back the same pools all the time; after "grow" it keeps what it makes."""

import sys
import threading

kept = []
keeps = threading.Event()


def work():
    while True:
        made = [(number,) for number in range(3000)]
        if keeps.is_set() and len(kept) < 2000:
            kept.append(made)


threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "grow":
        keeps.set()
    print("done", flush=True)
