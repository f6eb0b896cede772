"""Threads that make and drop cyclic garbage all the time, so that the collector is always busy."""
import threading


class Node:
    def __init__(self):
        self.me = self


def churn():
    kept = []
    while True:
        kept.append(Node())
        if len(kept) > 2000:
            kept.clear()


for _ in range(3):
    threading.Thread(target=churn, daemon=True).start()
print("ready", flush=True)
churn()
