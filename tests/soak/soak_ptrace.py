"""soak_ptrace.py SECONDS: the engine ptrace, for long: 500 kills, 200 in bursts, 200,000 handle events.

After each kill (of memprobe, its watchdog or its tracer, at a random moment) the target is neither traced nor
standing, works, and has had every signal that was sent to it once. Then the same to one whose container is
watched: it goes on to fill it. Then a target opens and closes from eight threads until windows and the time
between them have had 200,000 events: after every round what is open is known, and what a window saw being
opened has the line that opened it.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from ptrace_source.bursting import killed_in_a_burst, size_address
from ptrace_source.counting import compiled, is_well
from ptrace_source.killing import killed_at_random
from ptrace_source.test_bursts import goes_on
from ptrace_source.test_truth import differences, expect
from ptrace_source.tracing import MANY, traced

KILLS, IN_BURSTS, EVENTS, OPENED = 500, 200, 200_000, 4000
TARGETS = Path(__file__).resolve().parent.parent / "targets"


def main(seconds: float) -> int:
    """Run all three, each for about a third of the time; 1 if something was wrong."""
    seed = int(time.time())
    kill(random.Random(seed), time.monotonic() + seconds / 3, seed)
    kill_in_bursts(random.Random(seed), time.monotonic() + seconds / 3, seed)
    return open_and_close(time.monotonic() + seconds / 3)


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


def kill_in_bursts(chance: random.Random, end: float, seed: int) -> None:
    """Kill until there were enough, or the time is over; raises if the target does not go on."""
    kills = 0
    with pythons.own().spawn(TARGETS / "filling_by_turns.py", "0") as target:
        address = size_address(target.pid, "__main__.x_dict")
        while kills < IN_BURSTS and time.monotonic() < end:
            killed_in_a_burst(target.pid, address, chance)
            goes_on(target)
            kills += 1
    print(f"{kills} kills in bursts: the target was let go every time and filled on (seed {seed})")


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
