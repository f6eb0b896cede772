"""soak_examples.py SECONDS: each kind of leak of the services in examples/, and none, for 60 s each.

A small load runs meanwhile. What leaks must be found and named, and nothing else may be found. As many as
the time allows; all of them within 25 minutes.
"""

from __future__ import annotations

import sys
import time
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.serving import NAMES, SERVICES, is_named, load, serving, watched

WATCHED_S = 60.0
CASES = [
    ("", SERVICES[0]),
    *zip(NAMES, cycle(SERVICES), strict=False),
    ("", SERVICES[1]),
    *zip(NAMES, cycle(SERVICES[::-1]), strict=False),
]
"""Every kind in each service, in turns."""


def main(seconds: float) -> int:
    """Run for about so long; 1 if a leak was not found or not named, or something else was."""
    end_s = time.monotonic() + seconds
    failures: list[str] = []
    done = 0
    for kind, name in CASES:
        if done and time.monotonic() + WATCHED_S > end_s:
            break
        done += 1
        complaint = case(name, kind)
        print(f"{name} {kind or 'healthy'}: {complaint or 'ok'}", flush=True)
        failures += [complaint] if complaint else []
    print(f"{done} of {len(CASES)} cases, {len(failures)} went wrong")
    return 1 if failures else 0


def case(name: str, kind: str) -> str:
    """Watch a service that leaks so, or not at all; return what is wrong."""
    with serving(name) as service, load(service, *filter(None, [kind])):
        time.sleep(2)
        found = watched(service, WATCHED_S)
    wrong = [one["title"] for one in found if not (kind and is_named(one, kind))]
    if wrong:
        return f"{name}, {kind or 'healthy'}: found {wrong}"
    return f"{name}: {kind} not found" if kind and not found else ""


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
