"""timed.py FOLDER SECONDS: run every script of a folder, each with its share of the time.

Of tests/fuzz these are the files fuzz_*.py, and so on. A script is called as
`python fuzz_x.py SECONDS`. It runs about so long, says in its last line what it did, and
ends with 0 if all was well.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def run(script: Path, seconds: float) -> bool:
    """Run one script; whether it was content."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, script, f"{seconds:.0f}"], stdout=subprocess.PIPE, text=True)
    lines = done.stdout.strip().splitlines() or ["(said nothing)"]
    verdict = "ok" if done.returncode == 0 else f"FAILED ({done.returncode})"
    shown = lines[-1:] if done.returncode == 0 else lines[-30:]
    print(f"{script.name}: {verdict} after {time.monotonic() - start:.0f} s: " + "\n".join(shown), flush=True)
    return done.returncode == 0


def main(folder: str, seconds: str) -> int:
    """Run them all, one after the other."""
    scripts = sorted(Path(folder).glob(f"{Path(folder).name}_*.py"))
    if not scripts:
        print(f"no script in {folder}", file=sys.stderr)
        return 1
    share = float(seconds) / len(scripts)
    return 0 if all([run(script, share) for script in scripts]) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
