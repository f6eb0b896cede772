"""The interpreters that the tests look at, and how to run them.

`MEMPROBE_PYTHONS` chooses: a comma separated list of minors ("3.11") and names
("3.11-debian-static"), or "all". Unset, it is the interpreter that the tests run under:
quick, and what a first `make test` wants. `python tests/pythons.py` prints the table.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE_S
from programs import Target, TargetFailed, clean_environment, spawn_command

__all__ = ["INTERPRETERS", "Interpreter", "Target", "TargetFailed", "clean_environment", "spawn_command"]

ROOT = Path(__file__).resolve().parent.parent
MATRIX = ROOT / ".cache" / "matrix"

SUPPORTED = tuple((3, minor) for minor in range(8, 16))

REQUIRED = (
    "3.8",
    "3.9",
    "3.10",
    "3.11-pyenv-shared",
    "3.11-debian-static",
    "3.12",
    "3.13",
    "3.14",
    "3.15",
)
"""What CI must have run, each at least once."""

HOST_INSIDE = Path("/mnt")
"""Where an interpreter that lives in another root sees the whole tree of this one."""

_BINARY = re.compile(r"(python|pypy)3(\.\d+)?$")
_FACTS = """
import json, platform, sys
with open("/proc/self/maps") as maps:
    shared = "libpython" in maps.read()
print(json.dumps([sys.implementation.name, sys.version_info[:2], platform.python_version(), shared]))
"""
# /proc and the host's tree are mounted in a mount namespace of the target's own, so
# nothing can be left behind; every step execs, so Popen.pid is the interpreter's.
_ENTER_ROOT = 'mount -t proc proc "$0/proc" && mount --rbind / "$0{inside}" && exec chroot "$0" "$@"'


@dataclass(frozen=True)
class Interpreter:
    """One Python on this machine."""

    name: str
    """Minor, origin and linkage: "3.11-debian-static"."""

    implementation: str
    """"cpython" or "pypy"."""

    version: tuple[int, int]
    """The minor version: (3, 11)."""

    patch: str
    """The full version: "3.11.7"."""

    path: Path
    """The real file, seen from this machine's root."""

    root: Path | None
    """The interpreter's own root if it needs a chroot, else None."""

    def __str__(self) -> str:
        return self.name

    def matches(self, wanted: str) -> bool:
        """Whether `wanted` is this minor or this name."""
        return wanted in (self.name, f"{self.version[0]}.{self.version[1]}")

    def path_inside(self, path: Path) -> Path:
        """The path under which the interpreter sees a file of this machine."""
        return path if self.root is None else HOST_INSIDE / path.relative_to("/")

    @property
    def own_path(self) -> Path:
        """The path that the interpreter itself calls its binary."""
        return _own_path(self.path, self.root)

    def command(self, *arguments: str | Path) -> list[str]:
        """The argument vector that runs it; every step execs, the pid stays."""
        return [*_prefix(self.root), str(self.own_path), *map(str, arguments)]

    def run(self, code: str, *, timeout_s: float = PATIENCE_S) -> str:
        """Run code to its end; return its standard output."""
        done = subprocess.run(
            self.command("-c", code),
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if done.returncode:
            raise TargetFailed(f"{self.name} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    @contextmanager
    def spawn(
        self,
        script: Path,
        *arguments: str,
        ready: str | None = "ready",
        flags: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> Iterator[Target]:
        """Run a script of this machine until the block ends; wait first for its `ready` line.

        `wrapper` goes before the interpreter (unshare, setpriv, prlimit): it must exec, not fork.
        """
        command = self.command(*flags, self.path_inside(script.resolve()), *arguments)
        with spawn_command([*wrapper, *command], ready=ready, environment=environment) as target:
            yield target


def _prefix(root: Path | None) -> list[str]:
    if root is None:
        return []
    return ["unshare", "--mount", "sh", "-c", _ENTER_ROOT.format(inside=HOST_INSIDE), str(root)]


def _own_path(path: Path, root: Path | None) -> Path:
    return path if root is None else Path("/") / path.relative_to(root)


@functools.cache
def discovered() -> tuple[Interpreter, ...]:
    """Every Python 3 on this machine: also PyPy, and versions that memprobe does not support."""
    found: dict[str, Interpreter] = {}
    for path, root, origin in _candidates():
        interpreter = _examine(path, root, origin)
        if interpreter is not None:
            found.setdefault(interpreter.name, interpreter)
    return tuple(sorted(found.values(), key=lambda one: (one.version, one.name)))


def supported() -> tuple[Interpreter, ...]:
    """The discovered interpreters that memprobe claims to support."""
    return tuple(one for one in discovered() if one.implementation == "cpython" and one.version in SUPPORTED)


def _candidates() -> Iterator[tuple[Path, Path | None, str]]:
    """(real file, own root, origin), each file once."""
    seen: set[tuple[int, int]] = set()
    for folder, root, origin in _folders():
        for path in sorted(folder.glob("py*3*")):
            if not _BINARY.match(path.name) or not path.exists():
                continue
            status = path.stat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield path.resolve(), root, origin


def _folders() -> Iterator[tuple[Path, Path | None, str]]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for folder in sorted(pyenv.glob("versions/*/bin")):
        yield folder, None, "pyenv"
    yield Path("/usr/bin"), None, _distribution()
    if os.geteuid() == 0:  # chroot needs it
        for root in sorted(MATRIX.glob("*[!~]")):
            yield root / "usr" / "bin", root, root.name
    for entry in os.get_exec_path():
        if entry and not Path(entry).is_relative_to(pyenv):  # pyenv's shims are shell scripts
            yield Path(entry), None, "path"
    yield _own_binary().parent, None, "path"


def _distribution() -> str:
    try:
        release = Path("/etc/os-release").read_text()
    except OSError:
        return "system"
    found = re.search(r"^ID=\"?([a-z]+)", release, re.MULTILINE)
    return found[1] if found else "system"


def _examine(path: Path, root: Path | None, origin: str) -> Interpreter | None:
    """Ask an interpreter what it is; None if it does not run."""
    command = [*_prefix(root), str(_own_path(path, root)), "-S", "-E", "-c", _FACTS]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    if done.returncode:
        return None
    implementation, (major, minor), patch, shared = json.loads(done.stdout)
    name = f"{major}.{minor}-{origin}"
    name = (
        f"{name}-{'shared' if shared else 'static'}"
        if implementation == "cpython"
        else f"{implementation}-{name}"
    )
    return Interpreter(name, implementation, (major, minor), patch, path, root)


def own() -> Interpreter:
    """The interpreter under which the tests run."""
    for path, root, origin in _candidates():
        if path.samefile(_own_binary()):
            interpreter = _examine(path, root, origin)
            if interpreter is not None:
                return interpreter
    raise LookupError(f"{_own_binary()} is none of the discovered interpreters")


def _own_binary() -> Path:
    return Path(sys._base_executable).resolve()  # type: ignore[attr-defined]


@functools.cache
def selected(wanted: str) -> tuple[Interpreter, ...]:
    """The interpreters that a value of MEMPROBE_PYTHONS means; LookupError if one is not there."""
    if not wanted:
        return (own(),)
    if wanted == "all":
        return supported()
    tokens = [token.strip() for token in wanted.split(",") if token.strip()]
    missing = [token for token in tokens if not any(one.matches(token) for one in supported())]
    if missing:
        known = ", ".join(one.name for one in supported())
        raise LookupError(f"no interpreter {', '.join(missing)} here; found: {known}")
    return tuple(one for one in supported() if any(one.matches(token) for token in tokens))


def missing_required() -> list[str]:
    """What CI needs and this machine or the selection lacks."""
    chosen = selected(os.environ.get("MEMPROBE_PYTHONS", ""))
    return [wanted for wanted in REQUIRED if not any(one.matches(wanted) for one in chosen)]


INTERPRETERS: tuple[Interpreter, ...]
"""The interpreters that MEMPROBE_PYTHONS selects; made when it is first asked for."""


def __getattr__(name: str) -> tuple[Interpreter, ...]:
    # Discovery runs every interpreter once; only who asks pays for it.
    if name == "INTERPRETERS":
        return selected(os.environ.get("MEMPROBE_PYTHONS", ""))
    raise AttributeError(name)


def main() -> None:
    """Print what was found; a star marks what MEMPROBE_PYTHONS selects."""
    chosen = selected(os.environ.get("MEMPROBE_PYTHONS", ""))
    for one in discovered():
        print(f"{'*' if one in chosen else ' '} {one.name:24} {one.patch:10} {one.path}")
    if shutil.which("unshare") is None:
        print("unshare is missing: interpreters in .cache/matrix cannot run", file=sys.stderr)


if __name__ == "__main__":
    main()
