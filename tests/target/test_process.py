from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pythons
from memprobe import errors
from memprobe.target.proc.main_thread import lost_main_thread
from memprobe.target.proc.process import PID_LIMIT, open_process
from memprobe.target.proc.procfs import ProcFolder, parse_stat, parse_status, printable, size_bytes
from patience import until
from target.looking import WAIT, as_nobody, needs_root, running

EXEC = """
import os, sys
print('ready', flush=True)
os.read(0, 1)  # and not what comes after it
os.execv(sys.argv[1], sys.argv[1:])
"""


def attempt(function: Callable[[], object]) -> errors.MemprobeError:
    with pytest.raises(errors.MemprobeError) as caught:
        function()
    assert "\n" not in caught.value.line
    return caught.value


@contextmanager
def ended_child(*, reaped: bool) -> Iterator[int]:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    if reaped:
        os.waitpid(child, 0)
    yield child
    if not reaped:
        os.waitpid(child, 0)


def test_identity_is_pid_and_start_time() -> None:
    with open_process(os.getpid()) as process:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        assert process.id.pid == process.pid == os.getpid()
        assert process.id.start_time_ticks == int(fields[19])
        assert process.proc == f"/proc/{os.getpid()}"
        process.check()


@pytest.mark.parametrize("pid", [-1, 0, PID_LIMIT + 1, 1 << 80])
def test_a_number_that_is_no_pid(pid: int) -> None:
    error = attempt(lambda: open_process(pid))
    assert type(error) is errors.NoSuchProcess


def test_a_pid_that_nobody_has() -> None:
    with ended_child(reaped=True) as pid:
        assert type(attempt(lambda: open_process(pid))) is errors.NoSuchProcess


def test_a_thread_is_named_as_such() -> None:
    code = "import threading, time; threading.Thread(target=input).start(); print('ready', flush=True)"
    with running(sys.executable, "-c", code) as target:
        tids = {int(name) for name in os.listdir(f"/proc/{target.pid}/task")} - {target.pid}
        error = attempt(lambda: open_process(tids.pop()))
        assert type(error) is errors.NoSuchProcess
        assert f"thread of process {target.pid}" in error.fact


def test_zombie() -> None:
    with ended_child(reaped=False) as pid:
        error = attempt(lambda: open_process(pid))
        assert type(error) is errors.TargetIsZombie
        assert str(os.getpid()) in error.remedy


def test_main_thread_that_has_ended(targets: Path) -> None:
    with pythons.own().spawn(targets / "without_main_thread.py") as target, open_process(target.pid) as held:
        held.check()
        target.ask("end")
        for error in (attempt(held.check), attempt(lambda: open_process(target.pid))):
            assert type(error) is errors.TargetIsZombie
            assert "main thread" in error.fact
        os.kill(target.pid, signal.SIGKILL)
        until(held.has_ended)
        assert type(attempt(held.check)) is errors.TargetExited


def made_up(folder: Path, state: str, flags: int, pending: int) -> ProcFolder:
    """A process whose main thread is a zombie, with one more thread."""
    for name, its_state, its_flags in ((".", "Z", 4), ("task/7", state, flags)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        fields = [its_state, 1, 0, 0, 0, 0, its_flags, *[0] * 10, 2, 0, 99, 0, 0]
        (folder / name / "stat").write_text(f"6 (program) {' '.join(map(str, fields))}\n")
    (folder / "task/7/status").write_text(f"Name:\tprogram\nSigPnd:\t{pending:016x}\n")
    return ProcFolder(6, str(folder))


@pytest.mark.parametrize(
    ("state", "flags", "pending", "runs_on"),
    [("S", 0, 0, True), ("R", 0, 1 << 8, False), ("R", 4, 0, False), ("Z", 4, 0, False)],
    ids=["runs on", "was told to end", "ends", "has ended"],
)
def test_threads_that_end_with_the_main_thread(
    tmp_path: Path, state: str, flags: int, pending: int, runs_on: bool
) -> None:
    with made_up(tmp_path, state, flags, pending) as folder:
        found = lost_main_thread(folder)
    assert (found is not None) is runs_on
    assert found is None or "main thread of process 6 (program)" in found.fact


def test_kernel_thread() -> None:
    # Without kthreadd this pid namespace has none.
    if (
        not Path("/proc/2/stat").exists()
        or not parse_stat(Path("/proc/2/stat").read_bytes()).is_kernel_thread
    ):
        pytest.skip("this pid namespace has no kernel threads")
    error = attempt(lambda: open_process(2))
    assert type(error) is errors.KernelThread
    assert "kthreadd" in error.fact


def test_end_is_noticed() -> None:
    with running(sys.executable, "-c", WAIT) as target, open_process(target.pid) as process:
        process.check()
        target.kill()
        assert process.has_ended()
        assert type(attempt(process.check)) is errors.TargetExited
        assert type(attempt(process.folder.status)) is errors.TargetExited
        assert type(attempt(lambda: process.folder.entries("fd"))) is errors.TargetExited


def test_end_is_noticed_before_the_parent_has_collected_it() -> None:
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    with open_process(child) as process:
        os.kill(child, 9)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert type(attempt(process.check)) is errors.TargetExited
        os.waitpid(child, 0)


def test_one_that_is_collected_between_two_looks_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    with open_process(child) as process:
        stat = process.folder.stat()
        os.kill(child, 9)
        os.waitpid(child, 0)
        monkeypatch.setattr(process, "has_ended", lambda: False)
        monkeypatch.setattr(process.folder, "stat", lambda: stat)
        assert type(attempt(process.check)) is errors.TargetExited


@pytest.mark.parametrize("program", [sys.executable, "/bin/cat"], ids=["the same program", "another one"])
def test_exec_is_noticed(program: str) -> None:
    arguments = [program, "-c", WAIT] if program == sys.executable else [program, "-"]
    with running(sys.executable, "-c", EXEC, *arguments) as target, open_process(target.pid) as process:
        process.check()
        target.send("")
        if program == sys.executable:
            target.expect("ready")
        else:
            target.send("echo")
            target.expect("echo")
        error = attempt(process.check)
        assert type(error) is errors.TargetReplaced
        with open_process(target.pid) as successor:
            assert successor.id == process.id
            successor.check()


def test_another_start_time_is_another_process() -> None:
    with running(sys.executable, "-c", WAIT) as target:
        with open_process(target.pid) as process:
            started = process.id.start_time_ticks
        open_process(target.pid, start_time_ticks=started).close()
        error = attempt(lambda: open_process(target.pid, start_time_ticks=started - 1))
        assert type(error) is errors.PidRecycled


RECYCLE = """
import os, time
from memprobe import errors
from memprobe.target.proc.process import open_process

def spawn():
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    return child

def end(child):
    os.kill(child, 9)
    os.waitpid(child, 0)

first = spawn()
process = open_process(first)
end(first)
time.sleep(0.02)  # the start time has a resolution of 10 ms
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(first - 1))
second = spawn()
assert second == first, (first, second)
for check in (process.check, process.folder.status, lambda: process.folder.link("exe")):
    try:
        check()
        raise SystemExit("the successor was taken for the target")
    except errors.TargetExited:
        pass
try:
    open_process(second, start_time_ticks=process.id.start_time_ticks)
    raise SystemExit("a recycled pid was opened")
except errors.PidRecycled:
    pass
end(second)
print("told apart")
"""


@needs_root
def test_recycled_pid() -> None:
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", RECYCLE]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout == "told apart\n", done.stderr


@needs_root
def test_foreign_process_without_rights() -> None:
    with running(sys.executable, "-c", WAIT) as target:
        pid = target.pid

        def look() -> str:
            with open_process(pid) as process:
                process.check()
                process.folder.entries("fd")
            return "not reached"

        error = attempt(lambda: as_nobody(look))
        assert type(error) is errors.NotPermitted
        assert f"/proc/{pid}/fd" in error.fact
        assert "root" in error.remedy


@needs_root
def test_exec_of_a_foreign_process_is_noticed_when_the_user_is_the_same() -> None:
    """Without the address space (not readable) the check must still work and not be wrong."""
    with running(sys.executable, "-c", WAIT) as target:
        pid = target.pid

        def look() -> bool:
            with open_process(pid) as process:
                process.check()
            return True

        assert as_nobody(look)


def test_nothing_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    with open_process(os.getpid()) as process:
        process.close()
    for start_time_ticks in (1, 2, 3):
        attempt(lambda ticks=start_time_ticks: open_process(os.getpid(), start_time_ticks=ticks))  # type: ignore[misc]
    assert os.listdir("/proc/self/fd") == before


def test_a_name_may_hold_anything() -> None:
    libc = ctypes.CDLL(None)
    old = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    try:
        libc.prctl(15, b") Z 1 (\x1b[31m\n", 0, 0, 0)
        with ProcFolder(os.getpid()) as folder:
            stat = folder.stat()
        assert stat.state == "R"
        assert stat.parent == os.getppid()
        assert stat.name == ") Z 1 (?[31m?"
    finally:
        libc.prctl(15, old, 0, 0, 0)


def test_parsing_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="short"):
        parse_stat(b"1 (x) R 1")
    assert parse_status(b"a:\t1 kB\nnonsense\nb: x") == {"a": "1 kB", "b": "x"}
    assert size_bytes("12 kB") == 12288
    assert size_bytes("unlimited") is None
    assert size_bytes(None) is None
    assert printable("a\x1b]0;b\x07\u202ec") == "a?]0;b??c"
