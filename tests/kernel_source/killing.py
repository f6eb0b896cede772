"""memprobe killed at a random moment of its life, and what is left of it then."""

from __future__ import annotations

import os
import random
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.running import COMMAND
from kernel_source.kernel_state import Ids, ids_in_kernel, ids_of
from memprobe.native.bpf import open_tracefs
from patience import PATIENCE_S
from programs import Target

ATTACHED = 40
"""Perf events: so many tracepoints and uprobes are attached at the least."""

LIFE = 1.6
"""How long a life may be, in times of the start: importing, loading, attaching, and then the run."""

END_S = 0.6
"""How long an end that was asked for may take before the kill comes."""

TURNS, ROUNDS = 400, 300
"""How often the work of two processes is compared, and how much it is: some 3 ms."""


@dataclass(frozen=True)
class Killed:
    """One life."""

    pid: int
    held: Ids
    """Programs, maps and links that it had when it was killed."""

    perf_events: int
    ended_itself: bool
    gone_s: float
    """How long until the last of it had gone."""


def start_s(target: Target) -> tuple[float, Killed]:
    """How long memprobe takes here until everything is attached; it is killed then."""
    command = _command(target)
    process, began = _started(command), time.monotonic()
    while _perf_events(process.pid) < ATTACHED:
        assert process.poll() is None
        assert time.monotonic() - began < PATIENCE_S, "it does not attach"
        time.sleep(0.02)
    return time.monotonic() - began, _killed(process, command)


def killed_at_random(target: Target, chance: random.Random, life_s: float) -> Killed:
    """Attach memprobe, kill it in this time or while it ends, and wait until nothing of it is left."""
    command = _command(target)
    process = _started(command)
    time.sleep(chance.uniform(0, life_s))
    if chance.random() < 0.3:
        process.send_signal(signal.SIGINT)
        time.sleep(chance.uniform(0, END_S))
    return _killed(process, command)


def _command(target: Target) -> list[str]:
    return [*COMMAND, "attach", str(target.pid), "--json"]


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL  # SIGINT in the middle of an import makes a traceback
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def _killed(process: subprocess.Popen[bytes], command: list[str]) -> Killed:
    process.send_signal(signal.SIGSTOP)  # so that what it holds is still the same when it is killed
    family = list(_family(command))
    held = {one for pid in family for one in _ids(pid)}
    perf_events = sum(_perf_events(pid) for pid in family)
    began = time.monotonic()
    process.kill()
    ended_itself = process.wait() != -signal.SIGKILL
    while _is_left(command, held):
        assert time.monotonic() - began < PATIENCE_S, f"left of pid {process.pid}: {held & ids_in_kernel()}"
        time.sleep(0.05)
    return Killed(process.pid, held, perf_events, ended_itself, time.monotonic() - began)


def _is_left(command: list[str], held: Ids) -> bool:
    return bool(held & ids_in_kernel()) or any(_family(command))


def _family(command: list[str]) -> Iterator[int]:
    """A memprobe and what it has forked, also the helpers that detach in a session of their own."""
    arguments = "".join(f"{one}\0" for one in command).encode()
    for entry in os.listdir("/proc"):
        try:
            if Path(f"/proc/{int(entry)}/cmdline").read_bytes() == arguments:  # empty for a zombie
                yield int(entry)
        except (OSError, ValueError):
            continue


def _ids(pid: int) -> Ids:
    try:
        return ids_of(pid)
    except OSError:  # has ended
        return set()


def _perf_events(pid: int) -> int:
    found = 0
    for number in _listed(f"/proc/{pid}/fd"):
        try:
            found += "perf_event" in os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
    return found


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def changed_code(pid: int) -> list[str]:
    """The executable mappings of a process that are not what is in their files: an uprobe that stayed."""
    changed = []
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"(\w+)-(\w+) ..xp (\w+) \S+ [1-9]\d* +(/.*)", line)
            if match is None:
                continue
            begin, end, offset = (int(match[number], 16) for number in (1, 2, 3))
            memory.seek(begin)
            found = memory.read(end - begin)
            with open(f"/proc/{pid}/root{match[4]}", "rb") as file:
                file.seek(offset)
                expected = file.read(end - begin)
            if found[: len(expected)] != expected:
                changed.append(match[4])
    return changed


def trap_lines(pid: int) -> list[str]:
    """What tracefs lists of uprobes in the binaries of a process."""
    binaries = {Path(path).name for path in re.findall(r"r-xp .* (/\S+)$", _maps(pid), re.MULTILINE)}
    root = open_tracefs()
    try:
        with open(os.open("uprobe_events", os.O_RDONLY, dir_fd=root)) as file:
            return [line for line in file if any(name in line for name in binaries)]
    finally:
        os.close(root)


def _maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def cost_ratio(target: Target, control: Target) -> float:
    """What a fixed amount of work costs a target, over what it costs another that is left alone.

    CPU time, a few milliseconds each in turn on one CPU, and the median over many turns: the host makes a
    CPU slower or faster by two within tenths of a second, and that hits neighbouring turns alike.
    """
    _on_one_cpu(target.pid, control.pid)
    before, ratios = _work_ns(control), []
    for _ in range(TURNS):
        own, after = _work_ns(target), _work_ns(control)
        ratios.append(2 * own / (before + after))
        before = after
    return statistics.median(ratios)


def _work_ns(one: Target) -> int:
    return int(one.ask(str(ROUNDS)))


def _on_one_cpu(*pids: int) -> None:
    cpu = min(os.sched_getaffinity(0))
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(tid), {cpu})


def stays_below(limit: float, target: Target, control: Target, before: float) -> float:
    """How much dearer the work has become; measured again, a few times, while that is over the limit.

    Noise of the machine goes away, a probe that stayed does not.
    """
    for _ in range(5):
        dearer = cost_ratio(target, control) / before
        if dearer < limit:
            break
    return dearer
