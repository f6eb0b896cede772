"""Makes and drops objects flat out in four threads, counts them as it goes, and says where in memory."""

import array
import os
import random
import threading

numbers = array.array("q", [0] * 8)
"""Of each thread: how many there are now, how many were ever made."""


class Wave:
    def __init__(self, number):
        self.number, self.load = number, [number]
        numbers[2 * number] += 1
        numbers[2 * number + 1] += 1

    def __del__(self):
        numbers[2 * self.number] -= 1


class Foam:
    """As large as a wave, so that one takes the place of the other."""

    def __init__(self, number):
        self.number, self.load = number, [number]


def waves(number):
    kept = [Wave(number) for _ in range(5000)]
    while True:
        at = random.randrange(4000)
        foam = [Foam(number) for _ in range(random.randrange(1, 500))]
        kept += [Wave(number) for _ in range(500)]
        del kept[at : at + 500]


for number in range(4):
    threading.Thread(target=waves, args=(number,), daemon=True).start()
while sum(numbers[0:8:2]) < 20000:
    pass
print("ready", numbers.buffer_info()[0], flush=True)
os.read(0, 1)
