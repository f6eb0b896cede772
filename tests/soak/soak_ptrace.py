"""soak_ptrace.py SECONDS: the engine ptrace, for long: 500 kills, and 200,000 handle events in windows.

After each kill (of memprobe, its watchdog or its tracer, at a random moment) the target is neither traced nor
standing, works, and has had every signal that was sent to it once. Then a target opens and closes from eight
threads until windows and the time between them have had 200,000 events: after every round what is open is
known, and what a window saw being opened has the line that opened it.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from ptrace_source.counting import compiled, is_well
from ptrace_source.killing import killed_at_random
from ptrace_source.test_truth import differences, expect
from ptrace_source.tracing import MANY, traced

KILLS, EVENTS, OPENED = 500, 200_000, 4000
TARGETS = Path(__file__).resolve().parent.parent / "targets"


def main(seconds: float) -> int:
    """Run both, each for about half of the time; 1 if something was wrong."""
    seed = int(time.time())
    kill(random.Random(seed), time.monotonic() + seconds / 2, seed)
    return open_and_close(time.monotonic() + seconds / 2)


def kill(chance: random.Random, end: float, seed: int) -> None:
    """Kill until there were enough, or the time is over; raises if the target is not well."""
    kills = sent = 0
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(TARGETS / "counting_signals.c", Path(folder))
        with pythons.spawn_command([program]) as target:
            while kills < KILLS and time.monotonic() < end:
                sent += killed_at_random(target, chance)
                is_well(target, sent)
                kills += 1
    print(
        f"{kills} kills, {sent} signals: the target was let go every time and has had each once (seed {seed})"
    )


def open_and_close(end: float) -> int:
    """Compare after every round; 1 if something differs."""
    events = 0
    with (
        pythons.own().spawn(TARGETS / "churning_handles.py", str(OPENED)) as target,
        traced(target.pid, MANY) as run,
    ):
        while events < EVENTS and time.monotonic() < end:
            target.send("")
            wrong = list(differences(run, expect(run, target)))
            if wrong:
                print(*wrong[:9], sep="\n")
                return 1
            events += 2 * OPENED
        births = run.table("births")
        with_line = int((births["stack_id"] != 0).sum())
        seen, windows = f"{len(births)} births seen, {with_line} with their line", run.source.windows
    print(
        f"{events} events of 8 threads, {windows} windows, {seen}: what was open was known after every round"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
