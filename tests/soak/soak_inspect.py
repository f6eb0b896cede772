"""soak_inspect.py SECONDS: inspect a busy target again and again, and see that it never notices.

Every fourth run is followed by as long a time without memprobe, so that a slow moment of the machine hits
both. The run fails if anything of memprobe is left on the target or the machine, or if inspecting holds the
target up, in the median, for more than HELD_ALLOWED_MS longer than leaving it alone does.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from soak._busy import Gaps, busy_target, gaps, inspect_as_a_user, traces

RUNS_PER_REST = 4
HELD_ALLOWED_MS = 2.0
"""To stop the target and read it would hold it up for 20 ms and more."""


def main(seconds: float) -> int:
    """Run for about so long; print what was measured; 1 if the target noticed."""
    inspected: list[Gaps] = []
    alone: list[Gaps] = []
    end = time.monotonic() + seconds
    with busy_target(pythons.own()) as target:
        inspect_as_a_user(target.pid)
        before = traces(target)
        while time.monotonic() < end:
            start = time.monotonic()
            inspected.append(gaps(target, lambda: inspect_as_a_user(target.pid)))
            took = time.monotonic() - start
            if len(inspected) % RUNS_PER_REST == 1:
                alone.append(gaps(target, lambda: time.sleep(took)))  # noqa: B023
        left = traces(target)
    if left != before:
        print(f"LEFT BEHIND: {left} (before: {before})")
    print(
        f"{len(inspected)} inspect runs: {_summary(inspected)}; {len(alone)} times alone: {_summary(alone)}; "
        f"{'nothing' if left == before else 'SOMETHING'} was left behind"
    )
    held_ms = _median_held_ms(inspected) - _median_held_ms(alone)
    return 0 if left == before and held_ms <= HELD_ALLOWED_MS else 1


def _median_held_ms(turns: list[Gaps]) -> float:
    return statistics.median(one.held_ms for one in turns)


def _summary(turns: list[Gaps]) -> str:
    longest, held = [one.longest_ms for one in turns], [one.held_ms for one in turns]
    return (
        f"longest gap {statistics.median(longest):.1f} ms (median; least {min(longest):.1f}, most "
        f"{max(longest):.1f}), held up {statistics.median(held):.2f} ms (median; most {max(held):.2f})"
    )


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
