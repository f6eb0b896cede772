"""The tools that are compared: how each comes to a running process, and how it leaves."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from pairing.process import Running
from pairing.usage import cpu_s, wait_until_attached, wait_until_traced

PATIENCE_S = 30.0

DETACHING = "memprobe-detach"
"""What the helpers are called that detach memprobe's probes behind it."""


class ToolFailed(Exception):
    """A tool did not live through its block, which is then worth nothing."""


class Tool(ABC):
    """One row of the table. It is attached and detached many times."""

    name: str
    settle_s = 1.0
    """What is not measured after attaching: the tool starts up."""

    pairs_share = 1.0
    """Of the pairs asked for: what costs tens of percents is known after few."""

    def missing(self) -> str:
        """What is not there, and how to get it; empty if it can run."""
        return ""

    @abstractmethod
    def attach(self, target: Running) -> None:
        """Begin."""

    @abstractmethod
    def detach(self, target: Running) -> None:
        """End, and wait until nothing is left."""

    def cpu_s(self) -> float | None:
        """CPU time of the tool's own process so far; None if it has none."""
        return None

    def told_pct(self) -> float | None:
        """What the tool itself said, when detached, that it cost the target, in per cent of a core."""
        return None


class Nothing(Tool):
    """No tool: what the harness shows when there is nothing to show."""

    name = "nothing (noise)"
    pairs_share = 1 / 2

    def attach(self, target: Running) -> None:
        """Nothing."""

    def detach(self, target: Running) -> None:
        """Nothing."""


class Tracemalloc(Tool):
    """The module of the standard library, started by the workload itself."""

    name = "tracemalloc"
    pairs_share = 1 / 4

    def attach(self, target: Running) -> None:
        """One frame per allocation, its default."""
        target.command("tracemalloc on")

    def detach(self, target: Running) -> None:
        """Stop, and forget what was traced."""
        target.command("tracemalloc off")


@dataclass
class Memray(Tool):
    """`memray attach`: through gdb, or sys.remote_exec from 3.14."""

    name: str
    options: tuple[str, ...] = ()
    pairs_share = 1 / 4

    def missing(self) -> str:
        """The package, and a debugger below 3.14."""
        if find_spec("memray") is None:
            return "pip install memray"
        if sys.version_info < (3, 14) and not (shutil.which("gdb") or shutil.which("lldb")):
            return "memray attach needs a debugger: apt install gdb"
        return ""

    def attach(self, target: Running) -> None:
        """Aggregate in the target: the file stays small however long it runs."""
        file = Path(tempfile.gettempdir()) / f"memprobe-bench-{target.pid}.memray"
        self._run("attach", "--aggregate", "-f", "-o", str(file), *self.options, str(target.pid))

    def detach(self, target: Running) -> None:
        """Stop tracking."""
        self._run("detach", str(target.pid))
        (Path(tempfile.gettempdir()) / f"memprobe-bench-{target.pid}.memray").unlink(missing_ok=True)

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "memray", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode:
            raise ToolFailed(f"{' '.join(command)}: {done.stderr or done.stdout}")


class Program(Tool):
    """A program of its own that observes until it is interrupted."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self, pid: int) -> list[str]:
        """The command line."""

    def attach(self, target: Running) -> None:
        """Start it; `settle_s` later it observes."""
        # Read when the process has ended.
        self._output, self._complaints = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            self.command(target.pid),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._complaints,
        )

    def detach(self, target: Running) -> None:
        """Interrupt it as a user does. It must have lived until now, or the row is worthless."""
        process, self._process = self._process, None
        assert process is not None
        if process.poll() is not None:
            raise ToolFailed(f"ended by itself with code {process.returncode}: {self._last_complaint()}")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:  # memleak resolves symbols for minutes
            process.kill()
            process.wait(PATIENCE_S)

    def _last_complaint(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "without a word")

    def cpu_s(self) -> float | None:
        """User and system time, with its children."""
        if self._process is None or self._process.poll() is not None:
            return None
        return cpu_s(self._process.pid)


class Memprobe(Program):
    """The command as users type it, with its defaults, or with an engine."""

    settle_s = 2.0
    """It looks for functions to probe, and looks up its first stacks."""

    def __init__(self, engine: str = "") -> None:
        super().__init__()
        self._engine = engine
        self.name = f"memprobe attach --engine {engine}" if engine else "memprobe attach"

    def missing(self) -> str:
        """The command, and the rights."""
        if not _memprobe().exists():
            return "make install"
        if os.geteuid():
            return "run as root: without BPF there is little to measure"
        asked = subprocess.run([_memprobe(), "attach", "--help"], capture_output=True)
        return "this memprobe has no `attach` yet" if asked.returncode else ""

    def command(self, pid: int) -> list[str]:
        """Until interrupted."""
        chosen = ["--engine", self._engine] if self._engine else []
        return [str(_memprobe()), "attach", str(pid), "--json", *chosen]

    def attach(self, target: Running) -> None:
        """Start it, and wait until its tracepoints are there, or until it traces."""
        super().attach(target)
        assert self._process is not None
        try:
            self._wait_until_attached(self._process.pid, target.pid)
        except TimeoutError as error:
            self._process.kill()
            self._process.wait()
            raise ToolFailed(str(error)) from error

    def _wait_until_attached(self, pid: int, target: int) -> None:
        if self._engine == "ptrace":
            wait_until_traced(pid, target)
        elif self._engine != "proc":
            wait_until_attached(pid)

    def detach(self, target: Running) -> None:
        """Interrupt it, and wait for those that take its probes out of the kernel when it has ended."""
        super().detach(target)
        end_s = time.monotonic() + PATIENCE_S
        while any(_is_detaching(one.info) for one in psutil.process_iter(["name", "status"])):
            if time.monotonic() > end_s:
                raise ToolFailed("its probes are still being detached")
            time.sleep(0.1)

    def told_pct(self) -> float | None:
        """The `overhead` of its report."""
        self._output.seek(0)
        told = json.load(self._output)["overhead"]["target_slowdown_pct"]
        return None if told is None else float(told)


def _is_detaching(info: dict[str, str]) -> bool:
    """Whether it still holds probes; a helper is nobody's child, and may stay a zombie for long."""
    return info["name"] == DETACHING and info["status"] != psutil.STATUS_ZOMBIE


def _memprobe() -> Path:
    return Path(sys.executable).with_name("memprobe")


class Memleak(Program):
    """`memleak-bpfcc` of Debian's bpfcc-tools, with its defaults."""

    name = "bcc memleak"
    pairs_share = 1 / 4
    settle_s = 10.0
    """It compiles its program first."""

    def missing(self) -> str:
        """The tool, and kernel headers to compile against."""
        if not shutil.which("memleak-bpfcc"):
            return "apt install bpfcc-tools"
        if not _kernel_headers():
            return "kernel headers: apt install linux-headers-amd64 (those of another kernel do too)"
        return "run as root" if os.geteuid() else ""

    def command(self, pid: int) -> list[str]:
        """A report every 5 s."""
        return [*in_furnished_namespace(_kernel_headers()), "memleak-bpfcc", "-p", str(pid), "5"]


# bcc wants headers under the name of the running kernel (BCC_KERNEL_SOURCE alone does not do), and tracefs.
# Debian has them in two folders: `build` with the configuration, `source` with what all flavours share.
_FURNISH = """
set -e
folder=/lib/modules/$(uname -r)
if [ ! -e "$folder/build" ]; then
    mount -t tmpfs none /lib/modules
    mkdir "$folder"
    ln -s "$0" "$folder/build"
    ln -s "$1" "$folder/source"
fi
shift
[ -e /sys/kernel/tracing/events ] || mount -t tracefs none /sys/kernel/tracing
[ -e /sys/kernel/debug/tracing ] || mount -t debugfs none /sys/kernel/debug
exec "$@"
"""


def in_furnished_namespace(headers: Path | None) -> list[str]:
    """What a command begins with to run where bcc finds all it needs; the machine stays as it is."""
    if headers is None:
        return []
    common = headers.with_name(f"{headers.name.removesuffix('-amd64')}-common")
    return ["unshare", "--mount", "sh", "-c", _FURNISH, str(headers), str(common)]


def _kernel_headers() -> Path | None:
    """The headers of this kernel, else the newest that are installed."""
    own = Path("/lib/modules", platform.release(), "build")
    found = sorted(Path("/usr/src").glob("linux-headers-*-amd64"))
    return own if own.exists() else found[-1] if found else None


def tools() -> list[Tool]:
    """Every row, in the order of the table."""
    return [
        Nothing(),
        Memprobe(),
        Memleak(),
        Tracemalloc(),
        Memray("memray attach"),
        Memray("memray attach, Python allocators", ("--trace-python-allocators",)),
    ]
