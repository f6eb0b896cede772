"""Into a container from the host, and from one beside it: handles, states of sockets, paths, stacks."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.test_attach import attached, born, finished, frame_of, wait_for
from pythons import Interpreter, Target, own, spawn_command
from target.looking import child_of, needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

OPENED = 12
NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--cgroup", "--pid")
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/unified")
IDENTITY = "0123456789abcdef" * 4
LIMIT_MB = 512

# The script lies in a folder that nobody else sees.
INSIDE = """
echo $$ > "$GROUP/cgroup.procs" || exit 9
exec unshare {namespaces} --fork --kill-child --mount-proc sh -c '
    mount -t tmpfs none "$ROOT/srv" && cp "$SCRIPT" "$ROOT/srv/service.py" && echo data > "$ROOT/srv/data" &&
    exec "$@"
' sh "$@"
"""


@dataclass(frozen=True)
class Container:
    """A running one, with the target as its first process."""

    target: Target
    pid: int
    """On this machine."""


@contextmanager
def group(version: int) -> Iterator[Path]:
    """A control group of an engine's name; skipped where none can be made."""
    base = {1: V1, 2: V2}[version]
    folder = base / "docker" / (IDENTITY if version == 2 else f"{os.getpid():064x}")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no control group of version {version} can be made: {error}")
    try:
        if version == 1:
            (folder / "memory.limit_in_bytes").write_text(f"{LIMIT_MB}M")
        yield folder
    finally:
        removed(folder)
        removed(folder.parent)


def removed(folder: Path) -> None:
    """Remove a group as soon as its last process has left it."""
    for _ in range(100):
        try:
            folder.rmdir()
            break
        except OSError:
            time.sleep(0.05)


@contextmanager
def container(interpreter: Interpreter, targets: Path, folder: Path) -> Iterator[Container]:
    """Start the target in one."""
    script = INSIDE.format(namespaces=" ".join(NAMESPACES))
    command = ["sh", "-c", script, "sh", *interpreter.command("/srv/service.py")]
    environment = {
        "ROOT": str(interpreter.root or ""),
        "SCRIPT": str(targets / "contained.py"),
        "GROUP": str(folder),
    }
    with spawn_command(command, environment=environment) as target:
        yield Container(target, child_of(target.pid))
        target.kill()


def check(report: dict[str, Any], open_now: list[int], interpreter: Interpreter) -> None:
    """Everything that the target knows of itself; what is merely chrooted has the kernel's paths of files."""
    (files,), (sockets,) = born(report, "open_data"), born(report, "leave_half_closed")
    assert (files["kind"], files["open"], files["inherited"]) == ("file", OPENED, 0)
    assert (sockets["kind"], sockets["open"], sockets["inherited"]) == ("socket", OPENED, 0)
    assert files["examples"] == [f"{interpreter.root or ''}/srv/data"]
    assert all("CLOSE_WAIT" in text and "127.0.0.1:8123" in text for text in sockets["examples"]), sockets[
        "examples"
    ]
    assert sockets["states"] == {"CLOSE_WAIT": OPENED}
    for row, function in ((files, "open_data"), (sockets, "leave_half_closed")):
        frame = frame_of(row, function)
        assert frame["file"] == "/srv/service.py"
        assert frame["line"] == line_of(function)
    # One of them was the listing itself.
    assert sum(row["open"] for row in report["handles"]) == len(open_now) - 1
    # What a module that is being imported runs is gone as soon as it has run.
    assert set(report["evidence"]["lost"]) <= {"code_gone"}
    assert report["evidence"]["repaired"] == 0
    assert report["target"]["tier"] == 2


def line_of(function: str) -> int:
    script = Path(__file__).resolve().parent.parent / "targets" / "contained.py"
    lines = script.read_text().splitlines()
    begin = lines.index(next(line for line in lines if line.startswith(f"def {function}(")))
    return next(at for at, line in enumerate(lines, 1) if at > begin and line.endswith("# known line"))


def watched(
    inside: Container, pid: int, recording: Path, wrapper: tuple[str, ...] = ()
) -> tuple[dict[str, Any], list[int]]:
    """Attach, have the target open, and return the report and what the target has open."""
    with attached(pid, "--json", "--record", recording, wrapper=wrapper) as process:
        wait_for(recording, "pictures", process)
        open_now = json.loads(inside.target.ask(str(OPENED)))
        if wrapper:
            os.kill(child_of(process.pid), signal.SIGINT)  # of nsenter
        else:
            process.send_signal(signal.SIGINT)
        return finished(process), open_now


@pytest.mark.few_interpreters
def test_from_the_host(interpreter: Interpreter, targets: Path, tmp_path: Path) -> None:
    with group(1) as folder, container(interpreter, targets, folder) as inside:
        report, open_now = watched(inside, inside.pid, tmp_path / "run.mprobe")
    check(report, open_now, interpreter)
    assert report["target"]["pid"] == inside.pid
    assert "docker" in report["target"]["container"]
    assert report["memory"]["limit_mb"] == LIMIT_MB


def test_in_a_control_group_of_version_2(targets: Path, tmp_path: Path) -> None:
    with group(2) as folder, container(own(), targets, folder) as inside:
        report, open_now = watched(inside, inside.pid, tmp_path / "run.mprobe")
    check(report, open_now, own())
    assert "docker" in report["target"]["container"]


@pytest.mark.few_interpreters
def test_from_a_sibling_that_shares_the_pid_namespace(
    interpreter: Interpreter, targets: Path, tmp_path: Path
) -> None:
    with ExitStack() as held:
        folder = held.enter_context(group(1))
        inside = held.enter_context(container(interpreter, targets, folder))
        enter = ("nsenter", "--target", str(inside.pid), "--pid")
        own_rest = ("unshare", "--mount", "--mount-proc", "--net", "--uts", "--ipc", "--cgroup")
        report, open_now = watched(inside, 1, tmp_path / "run.mprobe", (*enter, *own_rest))
    check(report, open_now, interpreter)
    assert report["target"]["pid"] == 1
