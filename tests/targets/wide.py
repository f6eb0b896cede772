"""Very many small collections a few steps from a name: a hundred lists of a thousand dicts with a list each."""
import sys

ROWS = [[{"number": number, "tags": [number + 1_000_000]} for number in range(1000)] for _ in range(100)]
print("ready", flush=True)
sys.stdin.readline()
