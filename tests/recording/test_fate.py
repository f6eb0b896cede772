"""What becomes of a process: danger before, how it ended, and a real kill for its memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.test_attach import wait_for
from memprobe.recording import RecordingReader
from memprobe.session import replayed
from memprobe.session.danger import Danger
from memprobe.target.proc.ending import decoded, ending_of
from memprobe.target.proc.pressure import Pressure, group_pressure, machine_pressure, pressure_again
from memprobe.target.proc.process import open_process
from memprobe.views.report import document as report
from patience import PATIENCE_S, TRIES
from programs import Target, spawn_command

MB, NS = 1_000_000, 1_000_000_000
GROUPS = {1: Path("/sys/fs/cgroup/memory"), 2: Path("/sys/fs/cgroup")}
LIMIT_FILES = {1: "memory.limit_in_bytes", 2: "memory.max"}
FILLING = Path(__file__).resolve().parent.parent / "targets" / "filling_up.py"


def files(folder: Path, **contents: str) -> str:
    """A folder of the kernel's, made up."""
    folder.mkdir(exist_ok=True)
    for name, text in contents.items():
        (folder / name.replace("__", "/").replace("_dot_", ".")).write_text(text)
    return str(folder)


def test_a_group_of_version_2(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        memory_dot_max="1000\n",
        memory_dot_current="900\n",
        memory_dot_stat="anon 500\ninactive_file 300\n",
        memory_dot_events="low 0\nmax 4\noom 1\noom_kill 1\n",
        memory_dot_pressure="some avg10=9.00 avg60=0\nfull avg10=3.50 avg60=0.00 total=1\n",
    )
    found = group_pressure(folder, 2)
    assert found is not None
    assert (found.limit_bytes, found.used_bytes, found.room_bytes) == (1000, 600, 400)
    assert (found.stalled_pct, found.kills, found.events["max"]) == (3.5, 1, 4)


def test_a_group_of_version_1_and_the_machine(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "memory").write_text("full avg10=1.25 avg60=0 total=0\n")
    folder = files(
        tmp_path,
        memory_dot_limit_in_bytes="1000\n",
        memory_dot_usage_in_bytes="900\n",
        memory_dot_stat="inactive_file 1\ntotal_inactive_file 100\n",
        memory_dot_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        memory_dot_failcnt="7\n",
        meminfo="MemTotal: 10 kB\nMemFree: 1 kB\nMemAvailable: 4 kB\n",
        vmstat="pgfault 5\noom_kill 3\n",
    )
    found = group_pressure(folder, 1, machine=folder)
    assert found is not None
    assert (found.used_bytes, found.kills, found.events["max"], found.stalled_pct) == (800, 2, 7, 1.25)
    machine = machine_pressure(folder)
    assert machine is not None
    assert (machine.limit_bytes, machine.used_bytes, machine.kills) == (10240, 6144, 3)
    assert group_pressure(str(tmp_path / "nothing"), 2) is None
    assert machine_pressure(str(tmp_path / "nothing")) is None


def reading(used: int, stalled: float = 0.0, kills: int = 0) -> Pressure:
    return Pressure("g", 100 * MB, used * MB, stalled, {"oom_kill": kills})


def test_danger_comes_with_the_end_of_the_room() -> None:
    danger = Danger()
    looks = [second for second in range(100) if danger.add(second * NS, reading(second))]
    assert looks[0] < 90
    assert looks[-1] >= 97  # the last look is close to the end
    assert len(looks) < 15
    assert danger.alarm is not None
    assert danger.alarm.reached_in_s is not None
    assert danger.alarm.reached_in_s <= 2


def test_what_is_full_but_does_not_grow_is_looked_at_once() -> None:
    danger = Danger()
    assert [second for second in range(1000) if danger.add(second * NS, reading(95))] == [0]
    calm = Danger()
    assert not any(calm.add(second * NS, reading(70)) for second in range(100))
    assert calm.alarm is None
    assert calm.add(200 * NS, reading(70, stalled=20.0))


def test_kills_are_counted_since_the_first_reading() -> None:
    danger = Danger()
    danger.add(0, reading(1, kills=4))
    assert danger.kills(reading(1, kills=5)) == 1
    assert danger.kills(None) is None


def test_the_kills_of_the_machine_are_not_those_of_the_group() -> None:
    danger = Danger()
    danger.add(0, reading(1, kills=0))
    assert danger.kills(Pressure("", 100 * MB, MB, None, {"oom_kill": 57})) is None


def test_the_same_group_is_asked_when_the_process_is_gone(tmp_path: Path) -> None:
    group = {"memory_dot_limit_in_bytes": "1000", "memory_dot_usage_in_bytes": "900"}
    folder = files(tmp_path, **group, memory_dot_oom_control="oom_kill 2\n")
    before = group_pressure(folder, 1)
    assert before is not None
    files(tmp_path, memory_dot_oom_control="oom_kill 3\n")
    again = pressure_again(before)
    assert again is not None
    assert (again.group, again.kills) == (folder, 3)


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exited with code 0"), (3 << 8, "exited with code 3"), (9, "SIGKILL"), (11 | 128, "core dumped")],
)
def test_what_wait_gives(status: int, words: str) -> None:
    assert words in str(decoded(status))


@pytest.mark.parametrize("is_collected", [False, True])
def test_how_a_child_ended(is_collected: bool) -> None:
    program = [sys.executable, "-c", "import os; input(); os._exit(5)"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as child, open_process(child.pid) as process:
        assert ending_of(process) is None
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        if is_collected:
            child.wait()
        while not process.has_ended():
            time.sleep(0.01)
        found = ending_of(process)
    # Before Linux 6.15 nobody knows of a process that was collected.
    assert (found is None and is_collected) or (found is not None and found.exit_code == 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user takes root")
def test_who_may_not_look_does_not_take_the_zero_for_an_exit_code() -> None:
    with subprocess.Popen(["sleep", "100"]) as child, open_process(child.pid) as process:
        child.kill()
        while not process.has_ended():
            time.sleep(0.01)
        os.seteuid(65534)
        try:
            unseen = ending_of(process)
        finally:
            os.seteuid(0)
        seen = ending_of(process)
    assert unseen is None
    assert seen is not None
    assert seen.signal == signal.SIGKILL


@contextmanager
def limited(limit_bytes: int) -> Iterator[Path]:
    """A cgroup with a memory limit."""
    version = 1 if (GROUPS[1] / LIMIT_FILES[1]).exists() else 2
    group = GROUPS[version] / f"memprobe-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / LIMIT_FILES[version]).write_text(str(limit_bytes))
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    try:
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    for _ in range(100):
        try:
            group.rmdir()
        except OSError:  # the last process is still leaving
            time.sleep(0.05)
        else:
            return


@contextmanager
def filling(group: Path) -> Iterator[Target]:
    """A program in the group that fills its memory when it is told to."""
    shell = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    with spawn_command(["sh", "-c", shell, "sh", sys.executable, str(FILLING)]) as target:
        yield target


def killed_for_its_memory(path: Path) -> dict[str, Any]:
    """Record a program until it has no more room; what was said of it in the end."""
    memprobe = Path(sys.executable).with_name("memprobe")
    options = ("-o", str(path), "--on-oom", "--no-learn", "--json")
    with limited(100 << 20) as group, filling(group) as target:
        command = [str(memprobe), "record", str(target.pid), *options]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as recording:
            wait_for(path, "samples", recording)
            target.send("fill")
            document = json.loads(recording.communicate(timeout=PATIENCE_S)[0])
    assert isinstance(document, dict)
    return document


def was_looked_at_in_time(path: Path) -> bool:
    """Whether memprobe had the CPU for a look in the seconds before the end."""
    with RecordingReader(path) as reader:
        batches = list(iter(reader.poll, None))
        danger = reader.facts["danger"]
    looks = [int(look["time_ns"]) for batch in batches for look in batch.looks]
    if danger is None or not looks:
        return False
    last_ns = max((batch.end_ns for batch in batches if len(batch.populations)), default=0)
    counts = {batch.subjects[number].holder: number for batch in batches for number in batch.subjects}
    held = next((number for holder, number in counts.items() if "HELD" in holder), None)
    seen = [int(row["count"]) for batch in batches for row in batch.populations if row["subject_id"] == held]
    # Not the first look only, and of some 85,000 objects.
    return min(looks) < max(looks) and last_ns > danger["time_ns"] - 5 * NS and max(seen, default=0) > 40_000


@pytest.mark.skipif(os.geteuid() != 0, reason="a cgroup needs root")
def test_killed_for_its_memory(tmp_path: Path) -> None:
    paths = (tmp_path / f"run-{number}.mprobe" for number in range(TRIES))
    assert any(is_recorded_to_the_end(path) for path in paths)


def is_recorded_to_the_end(path: Path) -> bool:
    """Whether it was looked at while there was something to look at; in any case the end is told right."""
    document = killed_for_its_memory(path)
    assert "SIGKILL" in document["target"]["ended"]
    assert "for its memory" in document["target"]["ended"]
    assert path.stat().st_mode & 0o777 == 0o400
    again = json.loads(json.dumps(report(*replayed(path))))
    assert {name for name in document if again[name] != document[name]} == set()
    with RecordingReader(path) as reader:
        ending, danger = reader.facts["ending"], reader.facts["danger"]
    assert (ending["signal"], ending["killed_for_memory"]) == (signal.SIGKILL, True)
    assert danger is None or danger["pressure"]["used_bytes"] > 0.6 * danger["pressure"]["limit_bytes"]
    return was_looked_at_in_time(path)
