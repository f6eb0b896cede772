"""Fills its memory until somebody kills it, from when a line comes."""

import sys
import time

HELD = {}


def fill():
    number = 0
    while True:
        for _ in range(1000):
            HELD[number] = bytes(1000)
            number += 1
        time.sleep(0.1)


print("ready", flush=True)
sys.stdin.readline()
fill()
