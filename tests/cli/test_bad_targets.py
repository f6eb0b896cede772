"""Every target that cannot be inspected: its own exit code, its own words, one line, a remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pythons
from cli.impostors import impostor
from cli.running import complaint, run
from cli.unprivileged import as_nobody, needs_root
from patience import until

KERNEL_THREAD = 2


@pytest.fixture
def shell() -> Iterator[int]:
    with pythons.spawn_command(["sh", "-c", "echo ready; read line"]) as target:
        yield target.pid


@pytest.fixture
def zombie() -> Iterator[int]:
    process = subprocess.Popen(["true"])
    until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text())
    yield process.pid
    process.wait()


def free_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("command", ["inspect", "doctor", "heap", "tasks"])
class TestEveryCommand:
    """The same complaint with the same exit code, whichever command is asked."""

    def test_no_such_process(self, command: str) -> None:
        pid = free_pid()
        assert f"no process has the pid {pid}" in complaint(run(command, pid), 4)

    def test_a_pid_that_no_kernel_gives(self, command: str) -> None:
        assert "no process has the pid" in complaint(run(command, 10**30), 4)
        assert "no process has the pid 0" in complaint(run(command, 0), 4)

    def test_a_zombie(self, command: str, zombie: int) -> None:
        words = complaint(run(command, zombie), 4)
        assert f"process {zombie} (true) has ended and is a zombie" in words
        assert f"its parent, process {os.getpid()}" in words

    def test_a_thread(self, command: str, targets: Path) -> None:
        with pythons.own().spawn(targets / "service.py") as target:
            tid = max(map(int, os.listdir(f"/proc/{target.pid}/task")))
            words = complaint(run(command, tid), 4)
        assert f"{tid} is a thread of process {target.pid}" in words

    @pytest.mark.skipif(not Path(f"/proc/{KERNEL_THREAD}").exists(), reason="no kernel thread in sight")
    def test_a_kernel_thread(self, command: str) -> None:
        assert "is a kernel thread" in complaint(run(command, KERNEL_THREAD), 5)

    def test_not_python(self, command: str, shell: int) -> None:
        words = complaint(run(command, shell), 5)
        assert f"process {shell} (sh) is not a Python process" in words
        assert "give the pid of the interpreter" in words

    @pytest.mark.skipif(shutil.which("pypy3") is None, reason="needs pypy3")
    def test_pypy(self, command: str) -> None:
        program = ["pypy3", "-c", "print('ready', flush=True); input()"]
        with pythons.spawn_command(program) as target:
            words = complaint(run(command, target.pid), 5)
        assert "runs PyPy" in words
        assert "CPython 3.8 to 3.15" in words

    @pytest.mark.parametrize("micro", range(5))
    def test_an_unverified_collector(self, command: str, micro: int, tmp_path: Path) -> None:
        with impostor(tmp_path, 0x030E00F0 | micro << 8) as target:
            words = complaint(run(command, target.pid), 5)
        assert f"CPython 3.14.{micro}" in words
        assert "incremental collector" in words
        assert "3.14.5 or newer" in words

    @pytest.mark.parametrize("version", [0x030D02F0, 0x030E05F0, 0x030F00F0])
    def test_a_free_threaded_build(self, command: str, version: int, tmp_path: Path) -> None:
        with impostor(tmp_path, version, free_threaded=True) as target:
            words = complaint(run(command, target.pid), 5)
        assert "free-threaded build" in words
        assert "use a build with the GIL" in words

    @pytest.mark.parametrize(
        ("version", "name"), [(0x030710F0, "3.7.16"), (0x031000F0, "3.16.0"), (0x040000F0, "4.0.0")]
    )
    def test_a_version_without_a_table(self, command: str, version: int, name: str, tmp_path: Path) -> None:
        with impostor(tmp_path, version) as target:
            words = complaint(run(command, target.pid), 5)
        assert f"CPython {name}" in words
        assert "memprobe reads CPython 3.8 to 3.15" in words

    @needs_root
    def test_no_permission(self, command: str, targets: Path) -> None:
        with pythons.own().spawn(targets / "service.py") as target:
            words = complaint(as_nobody(command, target.pid), 3)
        assert f"not permitted to read /proc/{target.pid}/maps" in words
        assert "as root (sudo) or as the user who owns" in words


def test_an_impostor_whose_layout_does_not_hold_is_shown_from_outside(tmp_path: Path) -> None:
    """It says it is 3.13, but nothing behind the first words is: named, and no guess is shown."""
    with impostor(tmp_path, 0x030D02F0) as target:
        done = run("inspect", target.pid)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tier 0" in done.stdout
    assert "the layout check 'debug offsets' failed" in done.stdout


def test_every_cause_has_its_own_words(tmp_path: Path, shell: int, zombie: int, targets: Path) -> None:
    with pythons.own().spawn(targets / "service.py") as target:
        said = [complaint(run("inspect", pid), 4) for pid in (free_pid(), zombie)]
        said += [complaint(run("inspect", pid), 5) for pid in (KERNEL_THREAD, shell)]
        if os.geteuid() == 0:
            said.append(complaint(as_nobody("inspect", target.pid), 3))
    for version, free_threaded in ((0x030E01F0, False), (0x030D02F0, True), (0x031000F0, False)):
        with impostor(tmp_path, version, free_threaded=free_threaded) as target:
            said.append(complaint(run("inspect", target.pid), 5))
    kinds = {"".join(letter for letter in words if not letter.isdigit()) for words in said}
    assert len(kinds) == len(said)
