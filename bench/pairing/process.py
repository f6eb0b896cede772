"""A workload as a running process beside its twin: their slices, its commands, their clients."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pairing.estimates import Slice
from pairing.toll import Calls, calls_of_a_file, calls_of_a_request

WORKLOADS = Path(__file__).resolve().parent.parent / "workloads"
PATIENCE_S = 30.0

SLICES_PER_S = 2


@dataclass(frozen=True, slots=True)
class Workload:
    """One program that is measured."""

    name: str
    script: str
    unit: str
    """What one operation is."""

    needs: str = ""
    """The module it imports from PyPI."""

    client: bool = False
    """Whether somebody must put it under load."""

    calls: Callable[[], Calls] | None = None
    """Makes the system calls of one operation; None if it has none."""


WORKLOAD_TABLE = (
    Workload(
        "HTTP service",
        "http_service.py",
        "request",
        needs="uvicorn",
        client=True,
        calls=calls_of_a_request,
    ),
    Workload("file worker", "file_worker.py", "file", calls=calls_of_a_file),
    Workload("allocation loop", "allocation_loop.py", "object"),
)


class Reporting:
    """A program that has said it is ready, and says how fast it is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[dict[str, float]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.facts = self.next()

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.process.pid

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(json.loads(line))

    def next(self) -> dict[str, float]:
        """The next line."""
        try:
            return self._lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise SystemExit(f"the workload {self.process.args!r} says nothing any more") from None

    def forget(self) -> None:
        """Throw away what waits, and the slice that is under way."""
        while not self._lines.empty():
            self._lines.get()
        self.slice()

    def slice(self) -> tuple[int, dict[str, float]]:
        """The number of a half second on the clock of the machine, and what was done in it."""
        while "wall_s" not in (line := self.next()):
            pass
        return round(line["end_s"] * SLICES_PER_S), line

    def command(self, text: str) -> None:
        """Have it do something to itself, and wait until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        while "done" not in self.next():
            pass


class Running:
    """A workload, and its twin that nobody observes."""

    def __init__(self, workload: Reporting, twin: Reporting) -> None:
        self._workload, self._twin = workload, twin

    @property
    def pid(self) -> int:
        """The pid of the workload."""
        return self._workload.pid

    def command(self, text: str) -> None:
        """Have the workload do something to itself."""
        self._workload.command(text)

    def slices(self, count: int) -> list[Slice]:
        """The next slices that begin from now on; both programs must have worked in each."""
        self._workload.forget()
        self._twin.forget()
        found: list[Slice] = []
        number, other = self._twin.slice()
        while len(found) < count:
            own_number, own = self._workload.slice()
            while number < own_number:
                number, other = self._twin.slice()
            if number == own_number and own["operations"] and other["operations"]:
                twin_s = other["cpu_s"] / other["operations"]
                found.append(Slice(int(own["operations"]), own["wall_s"], own["cpu_s"], twin_s))
        return found


def client_command(port: int) -> list[str]:
    """Who puts the service under load: wrk if it is there."""
    wrk = shutil.which("wrk")
    if wrk:
        return [wrk, "-t1", "-c16", "-d36000s", f"http://127.0.0.1:{port}/"]
    return [sys.executable, str(WORKLOADS / "http_client.py"), str(port)]


def _script(name: str) -> list[str]:
    return [sys.executable, str(WORKLOADS / name)]


@contextmanager
def running(workload: Workload, cpu: int | None = None) -> Iterator[Reporting]:
    """The workload, under load, until the end of the block; with its client on one CPU if told."""
    with ExitStack() as held:
        found = held.enter_context(_reporting(_script(workload.script), cpu))
        if workload.client:
            held.enter_context(_client(int(found.facts["port"]), cpu))
        yield found


@contextmanager
def measured(workload: Workload) -> Iterator[Running]:
    """The workload and its twin, with their clients on one CPU: a few milliseconds each in turn."""
    cpu = min(os.sched_getaffinity(0))
    with running(workload, cpu) as found, running(workload, cpu) as twin:
        yield Running(found, twin)


def _on(cpu: int | None) -> list[str]:
    """What a command begins with to run on this CPU alone."""
    return [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]


@contextmanager
def _reporting(command: list[str], cpu: int | None) -> Iterator[Reporting]:
    placed = [*_on(cpu), *command]
    with subprocess.Popen(placed, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Reporting(process)
        finally:
            process.kill()


@contextmanager
def _client(port: int, cpu: int | None) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*_on(cpu), *client_command(port)], stdout=quiet, stderr=quiet) as client:
        try:
            yield
        finally:
            client.kill()
