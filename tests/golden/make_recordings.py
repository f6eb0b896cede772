"""make_recordings.py [NAME ...]: save golden recordings of the benchmark's cases, with what was found live.

A recording that is once committed stays for ever: a name that is there is left alone. Each program runs in a
mount namespace of its own where the interpreter is in /opt and the program in /srv, without an environment:
nothing of the machine gets into the file. The states of the run are taken out: the tests are to fold.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "bench"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from detection.cases import Case, cases
from programs import spawn_command

FOLDER = Path(__file__).resolve().parent / "recordings"
MEMPROBE = Path(sys.executable).with_name("memprobe")
SECONDS, SETTLE_S, JOBS = 40.0, 1.0, 4

NAMES = (
    *("caches-sessions-slow", "caches-rows-medium-sawtooth", "caches-tenants-medium-bursts"),
    *("caches-uploads-medium", "caches-histories-medium-healthy"),
    *(
        "listeners-methods-fast-sawtooth",
        "listeners-closures-medium-warm-up",
        "listeners-repeated-medium-healthy",
    ),
    *("cycles-errors-medium-sawtooth", "cycles-threshold-fast-bursts", "cycles-frames-medium-pool-healthy"),
    *("tasks-stuck-medium", "tasks-ended-fast", "tasks-consumers-medium-background-healthy"),
    *("timers-expiry-medium", "timers-threads-medium", "timers-deadlines-fast-healthy"),
    *("threads-stuck-medium", "threads-executors-slow", "threads-mailboxes-medium-bursts-healthy"),
    *("handles-files-medium", "handles-pipes-medium-background", "handles-databases-medium-warm-up-healthy"),
    *("sockets-close-wait-medium", "sockets-streams-medium-healthy"),
    *("native-copies-medium", "native-mappings-medium-lru", "native-texts-medium-sawtooth-healthy"),
)
"""Of every kind leaks at several rates, and a healthy program."""

ENTER = """
set -e
mount --bind "$1" /srv
mount --bind "$0" /opt
cd /
shift
exec env -i HOME=/ PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/lib "$@"
"""


def command(case: Case) -> list[str]:
    """The program of a case where nothing has a name of this machine."""
    python = pythons.own().path
    inside = ["/opt/bin/" + python.name, f"/srv/{case.script.name}", *case.arguments, "--seconds", "120"]
    folders = [str(python.parent.parent), str(case.script.parent)]
    return ["unshare", "--mount", "sh", "-c", ENTER, *folders, *inside]


def save(case: Case) -> str:
    """Run a case, and keep its recording and what the live report found; say what it was."""
    with tempfile.TemporaryDirectory() as folder, spawn_command(command(case), ready="") as target:
        time.sleep(SETTLE_S)
        path = Path(folder) / "run.mprobe"
        options = ["--record", str(path), "--json", "--no-learn", "--duration", str(SECONDS)]
        done = subprocess.run(
            [str(MEMPROBE), "attach", str(target.pid), *options], capture_output=True, text=True, check=True
        )
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("DELETE FROM states")
            database.execute("VACUUM")
        findings = json.loads(done.stdout)["findings"]
        data = gzip.compress(path.read_bytes(), 9, mtime=0)
    (FOLDER / f"{case.name}.mprobe.gz").write_bytes(data)
    (FOLDER / f"{case.name}.json").write_text(json.dumps({"findings": findings}, indent=1) + "\n")
    told = ", ".join(f"{one['kind']} {one['confidence']}" for one in findings) or "nothing"
    return f"{case.name}: {len(data) / 1e3:.0f} kB, {told}"


def main(names: list[str]) -> None:
    """Save those that are not there yet."""
    wanted = [case for case in cases() if case.name in (names or NAMES)]
    missing = [case for case in wanted if not (FOLDER / f"{case.name}.mprobe.gz").exists()]
    with ThreadPoolExecutor(JOBS) as pool:
        for line in pool.map(save, missing):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
