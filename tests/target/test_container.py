from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from memprobe.target.proc.container import engine_of, pid_inside, read_container
from memprobe.target.proc.facts import ProcessFacts, describe, read_cmdline, read_exe, read_threads
from memprobe.target.proc.process import open_process
from target.looking import WAIT, as_nobody, child_of, compiled, needs_root, running

ID = "0123456789abcdef" * 4
CGROUPS = {
    f"0::/docker/{ID}": ("docker", ID),
    f"4:memory:/docker/{ID}\n0::/": ("docker", ID),
    f"0::/system.slice/docker-{ID}.scope": ("docker", ID),
    f"0::/kubepods/burstable/pod12-34/{ID}": ("kubernetes", ID),
    f"0::/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{ID}.scope": (
        "kubernetes",
        ID,
    ),
    "0::/kubepods.slice/kubepods-pod1.slice": ("kubernetes", ""),
    f"0::/machine.slice/libpod-{ID}.scope/container": ("podman", ID),
    f"0::/system.slice/crio-{ID}.scope": ("cri-o", ID),
    f"0::/ecs/task-12/{ID}": ("ecs", ID),
    "0::/lxc.payload.web/init.scope": ("lxc", "web"),
    "0::/machine.slice/systemd-nspawn@web.service/payload": ("systemd-nspawn", "web"),
    "0::/user.slice/user-1000.slice/session-2.scope": (None, ""),
    "0::/": (None, ""),
    "": (None, ""),
    "0::/lxc.payload.\x1b[31m": ("lxc", "?[31m"),
}


@pytest.mark.parametrize("text", CGROUPS)
def test_engine_by_cgroup(text: str) -> None:
    assert engine_of(text) == CGROUPS[text]


def test_the_same_world() -> None:
    with open_process(os.getpid()) as process:
        facts = read_container(process)
    assert (facts.other_namespaces, facts.other_root, facts.pid_inside) == ((), False, os.getpid())


@needs_root
def test_own_namespaces() -> None:
    command = ["unshare", "--pid", "--net", "--uts", "--fork", "--kill-child", sys.executable, "-c", WAIT]
    with running(*command) as target, open_process(child_of(target.pid)) as process:
        facts = read_container(process)
        assert facts.other_namespaces == ("net", "pid", "uts")
        assert facts.pid_inside == 1
        assert facts.text is not None


PAUSE = '#include <stdio.h>\nint main(void) { puts("ready"); fflush(stdout); return getchar(); }'


@needs_root
@pytest.mark.parametrize(
    ("mark", "engine"), [(".dockerenv", "docker"), ("run/.containerenv", "podman"), ("etc/hosts", None)]
)
def test_own_root_with_the_mark_of_an_engine(tmp_path: Path, mark: str, engine: str | None) -> None:
    compiled(tmp_path, "pause", PAUSE, "-static")
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    with running("chroot", tmp_path, "/pause") as target, open_process(target.pid) as process:
        facts = read_container(process)
        assert (facts.engine, facts.other_root, facts.other_namespaces) == (engine, True, ())
        assert facts.text == (engine or "chroot")


def test_pid_inside() -> None:
    assert pid_inside({"NSpid": "100\t20\t3"}, 100) == 3
    assert pid_inside({"NSpid": "x"}, 100) == 100
    assert pid_inside({}, 100) == 100


THREADS = """
import sys, threading
names = ["alpha", "beta"]
both = threading.Barrier(3)
libc = __import__("ctypes").CDLL(None)
def run(name):
    libc.prctl(15, name.encode(), 0, 0, 0)
    both.wait()
    both.wait()
threads = [threading.Thread(target=run, args=(name,)) for name in names]
[thread.start() for thread in threads]
both.wait()
print("ready", *[thread.native_id for thread in threads], flush=True)
input()
both.wait()
"""


def test_describe() -> None:
    with (
        running(sys.executable, "-c", THREADS, "an argument", "", "x") as target,
        open_process(target.pid) as process,
    ):
        facts = describe(process)
        assert facts.cmdline[1:] == ("-c", THREADS, "an argument", "", "x")
        assert facts.exe == os.path.realpath(sys.executable)
        assert facts.uid == os.geteuid()
        assert (facts.thread_count, len(facts.threads)) == (3, 3)
        names = {thread.tid: thread.name for thread in facts.threads}
        assert [names[int(tid)] for tid in target.ready.split()] == ["alpha", "beta"]
        assert 0 <= facts.uptime_s < 60
        assert facts.started_at == pytest.approx(Path(f"/proc/{target.pid}").stat().st_ctime, abs=1)
        assert facts.memory is not None
        assert facts.handles is not None
        assert facts.denied == ()


@needs_root
def test_threads_of_another_pid_namespace() -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", THREADS]
    with running(*command) as target, open_process(child_of(target.pid)) as process:
        threads = read_threads(process)
        assert [thread.tid_inside for thread in threads] == [1, *map(int, target.ready.split())]
        assert {thread.tid for thread in threads} == set(map(int, os.listdir(f"/proc/{process.pid}/task")))


@needs_root
def test_describe_without_rights() -> None:
    with running(sys.executable, "-c", WAIT) as target:
        pid = target.pid

        def look() -> ProcessFacts:
            with open_process(pid) as process:
                return describe(process)

        facts = as_nobody(look)
        assert (facts.exe, facts.handles) == (None, None)
        assert facts.memory is not None
        assert facts.name == Path(f"/proc/{pid}/comm").read_text().strip()
        assert len(facts.denied) == 2


def test_an_empty_command_line() -> None:
    with (
        running(sys.executable, "-c", "import ctypes\n" + WAIT) as target,
        open_process(target.pid) as process,
    ):
        assert read_cmdline(process)[0] == sys.executable
        assert read_exe(process) == os.path.realpath(sys.executable)
