"""soak_kill.py SECONDS: kill memprobe at random moments, KILLS times at most; nothing may be left.

After each kill every program, map and link that it had has gone from the kernel, its processes have ended and
the target's code is what is in its files. At the end the same work costs the target what it cost before,
held against a process that was left alone.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from kernel_source.killing import (
    LIFE,
    Killed,
    changed_code,
    cost_ratio,
    killed_at_random,
    start_s,
    stays_below,
    trap_lines,
)

KILLS = 200
SLOWER_ALLOWED = 1.05
WORKING = Path(__file__).resolve().parent.parent / "targets" / "working.py"


def main(seconds: float) -> int:
    """Run for about so long; 1 if something was left or the target is slower."""
    seed = int(time.time())
    chance, lives, end = random.Random(seed), list[Killed](), time.monotonic() + seconds
    with pythons.own().spawn(WORKING) as target, pythons.own().spawn(WORKING) as control:
        before = cost_ratio(target, control)
        life_s, first = start_s(target)
        lives.append(first)
        while time.monotonic() < end and len(lives) < KILLS:
            lives.append(killed_at_random(target, chance, LIFE * life_s))
            if changed := changed_code(target.pid) + trap_lines(target.pid):
                print(f"LEFT IN THE TARGET after kill {len(lives)} (seed {seed}): {changed}")
                return 1
        slower = stays_below(SLOWER_ALLOWED, target, control, before)
    print(f"{_summary(lives)}; the same work costs the target {slower:.3f} of before (seed {seed})")
    return 0 if slower < SLOWER_ALLOWED else 1


def _summary(lives: list[Killed]) -> str:
    gone = [life.gone_s for life in lives if life.held]
    return (
        f"{len(lives)} kills, {len(gone)} with something in the kernel (at most "
        f"{max(len(life.held) for life in lives)} programs, maps and links and "
        f"{max(life.perf_events for life in lives)} perf events), {sum(life.ended_itself for life in lives)} "
        f"after it had ended; nothing is left, gone after {statistics.median(gone):.1f} s "
        f"(median; most {max(gone):.1f})"
    )


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
