"""Grows collections by as much as it is told, and says their lengths; forks workers that do nothing."""
import os, signal, sys


class Job:
    pass


class Queue:
    def __init__(self):
        self.jobs = [Job() for _ in range(200)]


JOBS = {number: Job() for number in range(300)}
QUEUE = Queue()
print("ready", flush=True)
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    if word == "grow":
        JOBS.update([(len(JOBS) + number, Job()) for number in range(int(rest))])
        QUEUE.jobs += [Job() for _ in range(int(rest))]
        print(len(JOBS), len(QUEUE.jobs), flush=True)
    elif word == "renew":
        QUEUE.jobs = [Job() for _ in range(100)]
        print("renewed", flush=True)
    elif word == "worker":
        worker = os.fork()
        while worker == 0:
            signal.pause()
        print(worker, flush=True)
    elif word == "exec":
        os.execv(sys.executable, [sys.executable, "-c", rest])
