"""Keeps a little of what it makes in take_more, all the time, up to a bound."""

import time

KEPT = []


def take_more():
    for _ in range(20):
        made = [f"{number:d}" for number in range(5_000)]
    KEPT.append(made)


print("ready", flush=True)
while len(KEPT) < 1000:
    take_more()
while True:
    time.sleep(1)
