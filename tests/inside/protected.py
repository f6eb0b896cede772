"""A program that has memprobe watch it: who starts it, with which rights, and what is left of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pythons
from patience import PATIENCE_S, until

NOBODY = 65534
ORDINARY = (
    *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"),
    *("--bounding-set", "-all,+dac_read_search,+sys_chroot"),
    *("--inh-caps", "-all,+dac_read_search,+sys_chroot"),
    *("--ambient-caps", "-all,+dac_read_search,+sys_chroot", "--"),
)
"""An ordinary user. It may read the folder of this checkout, which may be root's, and reach memprobe's Python
from another root: neither helps anybody to look into a process."""


class Watched:
    """A target that evaluates expressions."""

    def __init__(self, target: pythons.Target, command: list[str]) -> None:
        self.target, self.command = target, command

    def __call__(self, expression: str, timeout_s: float = PATIENCE_S) -> Any:
        return json.loads(self.target.ask(expression, timeout_s))

    def protect(self, settings: str = "") -> Any:
        """Call protect() with the memprobe of this checkout."""
        return self(f"protect({settings}{', ' if settings else ''}command={self.command!r})")


@contextmanager
def watched(
    interpreter: pythons.Interpreter, state: Path, *, ordinary: bool = True, engine: str = "proc"
) -> Iterator[Watched]:
    """Start the target, as an ordinary user or as this one; what memprobe learns of it goes to `state`.

    The engine proc sees no events, but is quick to begin and to end.
    """
    command = [sys.executable, "-m", "memprobe.cli"]
    if interpreter.root is not None:
        command = ["/usr/sbin/chroot", str(pythons.HOST_INSIDE), *command]
    # access(2), which looks for the command, does not know of the right to reach it.
    command = ["/bin/sh", "-c", 'exec "$@"', "sh", *command]
    ordinary = ordinary and os.geteuid() == 0
    state.mkdir(exist_ok=True)
    if ordinary:
        os.chown(state, NOBODY, NOBODY)
    script = pythons.ROOT / "tests" / "targets" / "protected.py"
    with pythons.spawn_command(
        in_the_root(interpreter, ORDINARY if ordinary else (), script),
        environment={"XDG_STATE_HOME": str(state), "TMPDIR": str(state), "MEMPROBE_RUN_ENGINE": engine},
    ) as target:
        yield Watched(target, command)


def in_the_root(interpreter: pythons.Interpreter, wrapper: tuple[str, ...], script: Path) -> list[str]:
    """Return the command that runs a script; a wrapper that gives up rights stands behind the new root."""
    command = interpreter.command(interpreter.path_inside(script))
    place = len(command) - 2
    return [*command[:place], *wrapper, *command[place:]]


def guards(pid: int) -> list[int]:
    """The processes that watch a pid, and those that they have started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[-3:-1] == [b"guard", str(pid).encode()]:
            found.append(int(folder.name))
    return found


def guard_of(pid: int) -> int:
    """The one process that watches a pid, without those that it has look at heaps.

    While it becomes another program its command line is empty for an instant.
    """

    def heads() -> list[int] | None:
        found = guards(pid)
        first = [one for one in found if parent_of(one) not in found]
        return first if len(first) == 1 else None

    return (until(heads) or [0])[0]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def sockets(pid: int) -> list[str]:
    """The sockets by which a process is answered."""
    names = Path("/proc/net/unix").read_text().split()
    return [name for name in names if name.startswith(f"@memprobe-{pid}-")]


def nothing_is_left(pid: int) -> bool:
    """Wait until no process and no socket is left."""
    return until(lambda: not guards(pid) and not sockets(pid))
