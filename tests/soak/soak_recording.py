"""soak_recording.py SECONDS: kill the writer of a recording at random moments, and fill its disk.

Again and again.
Every file must open, hold everything that was committed, and report. Says how often it tried.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recording.surviving import filled_up, killed_at, small_disk

FILLS = 6
"""One disk is filled for so many kills."""


def main() -> None:
    """Try until the time is over."""
    end = time.monotonic() + float(sys.argv[1])
    kills = fills = 0
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            killed_at(Path(folder) / "run.mprobe", random.Random())
            kills += 1
            if kills % FILLS == 0 and os.geteuid() == 0:
                with small_disk(Path(folder), 2 << 20) as disk:
                    filled_up(disk / "run.mprobe", random.Random())
                fills += 1
    print(f"{kills} killed writers, {fills} full disks: every file opens, is whole and reports")


if __name__ == "__main__":
    main()
