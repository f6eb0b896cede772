"""Threads that are born and end all the time, one that waits, and a signal every few milliseconds."""
import signal
import sys
import threading

alarms = 0


def count(number, frame):
    global alarms
    alarms += 1


def breed():
    while True:
        child = threading.Thread(target=len, args=("",))
        child.start()
        child.join()


signal.signal(signal.SIGALRM, count)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
for _ in range(2):
    threading.Thread(target=breed, daemon=True).start()
print("ready", flush=True)
# Every line in is answered with how many signals have come.
for _ in sys.stdin:
    print(alarms, flush=True)
