"""Many lines make objects of one size that die at once; of one line's, one in so many is kept. Says how many were."""
import sys, threading, time


class Node:
    __slots__ = ("value", "other")


KEPT = []
EVERY = 20


def churning(number):
    node = Node(); node.value = number
    node = Node(); node.value = number
    node = Node(); node.value = number
    node = Node(); node.value = number


def surviving(number):
    if number % EVERY == 0:
        KEPT.append(Node())  # known line: surviving


def work():
    number = 0
    while True:
        number += 1
        churning(number)
        surviving(number)
        if number % 10 == 0:
            time.sleep(0.001)


threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    print(len(KEPT), flush=True)
