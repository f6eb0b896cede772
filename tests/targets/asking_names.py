"""Asks many classes for an attribute by names made anew each time: the cache of types keeps thousands of them."""
import sys

KINDS = [type("Kind%d" % number, (), {}) for number in range(200)]
for number in range(40000):
    getattr(KINDS[number % 200](), "".join(["miss", "ing", str(number % 7)]), None)
print("ready", flush=True)
sys.stdin.read()
