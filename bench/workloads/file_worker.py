"""Opens, reads and closes a file and works on what it read: about 2,000 births of a handle per second.

It never waits, so whatever slows an operation shows in its rate. How much work makes 2,000/s on this
machine is found out at the start, before anything is measured.
"""

from __future__ import annotations

import json
import os
import tempfile
import time

from progress import Progress

BIRTHS_PER_S = 2_000


def work(content: bytes, rounds: int) -> None:
    """What a worker does with a file."""
    for _ in range(rounds):
        json.dumps(json.loads(content))


def read(path: str) -> bytes:
    """One birth, one death."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4_096)
    finally:
        os.close(descriptor)


def rounds_per_file(content: bytes) -> int:
    """How many rounds of work take 1/BIRTHS_PER_S seconds: the quickest of some tries."""
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        work(content, 10)
        best = min(best, (time.perf_counter() - start) / 10)
    return max(round(1 / BIRTHS_PER_S / best), 1)


def main() -> None:
    """One operation is one file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(json.dumps([{"id": number, "name": f"item {number}"} for number in range(12)]).encode())
        file.flush()
        rounds = rounds_per_file(read(file.name))
        progress = Progress()
        progress.begin(rounds=rounds)
        while True:
            work(read(file.name), rounds)
            progress.operations += 1


main()
