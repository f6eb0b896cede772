"""Keeps answers under the tokens that were asked with; "grow N" asks N times more."""

import sys

ANSWERS = {f"early-{number}": number for number in range(300)}
print("ready", flush=True)
for line in sys.stdin:
    for number in range(int(line.split()[1])):
        ANSWERS[f"token-\x1b[2J-{len(ANSWERS)}"] = f"secret-{number}"
    print(len(ANSWERS), flush=True)
