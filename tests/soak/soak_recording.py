"""soak_recording.py SECONDS: kill the writer of a recording at random moments, and fill its disk.

Every file must open, hold everything that was committed, and report. Says how often it tried, and ends after
KILLS kills, one full disk for each FILLS of them. The last word of a try that fails is its seed.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recording.surviving import filled_up, killed_at, small_disk

KILLS, FILLS = 300, 6
DISK_BYTES = 2 << 20


def main(seconds: float) -> None:
    """Try until the time is over."""
    begin_s, kills, fills = time.monotonic(), 0, 0
    while time.monotonic() - begin_s < seconds and kills < KILLS:
        attempt(killed)
        kills += 1
        if kills % FILLS == 0 and os.geteuid() == 0:
            attempt(filled)
            fills += 1
    took_s = time.monotonic() - begin_s
    tried = f"{kills} killed writers, {fills} full disks in {took_s:.0f} s"
    print(f"{tried}: every file opens, is whole and reports")


def attempt(end: Callable[[Path, random.Random], None]) -> None:
    """End a writer in some way, in a folder of its own."""
    seed = random.SystemRandom().randrange(1 << 32)
    with tempfile.TemporaryDirectory() as folder:
        try:
            end(Path(folder), random.Random(seed))
        except BaseException:
            print(f"{end.__name__} with seed {seed}:", file=sys.stderr)
            raise


def killed(folder: Path, chance: random.Random) -> None:
    """Kill it."""
    killed_at(folder / "run.mprobe", chance)


def filled(folder: Path, chance: random.Random) -> None:
    """Let its disk run full."""
    with small_disk(folder, DISK_BYTES) as disk:
        filled_up(disk / "run.mprobe", chance)


if __name__ == "__main__":
    main(float(sys.argv[1]))
