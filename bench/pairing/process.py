"""A workload as a running process: its slices, its commands, its client."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pairing.estimates import Slice

WORKLOADS = Path(__file__).resolve().parent.parent / "workloads"
PATIENCE_S = 30.0


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


WORKLOAD_TABLE = (
    Workload("HTTP service", "http_service.py", "request", needs="uvicorn", client=True),
    Workload("file worker", "file_worker.py", "file"),
    Workload("allocation loop", "allocation_loop.py", "object"),
)


class Running:
    """A workload that has said it is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[dict[str, float]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.facts = self._next()

    @property
    def pid(self) -> int:
        """The pid of the workload."""
        return self._process.pid

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(json.loads(line))

    def _next(self) -> dict[str, float]:
        try:
            return self._lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise SystemExit(f"the workload {self._process.args!r} says nothing any more") from None

    def slices(self, count: int) -> list[Slice]:
        """The next slices that begin from now on: those that wait, and the one under way, are thrown away."""
        while not self._lines.empty():
            self._lines.get()
        found: list[Slice] = []
        while len(found) <= count:
            line = self._next()
            if "wall_s" in line:
                found.append(Slice(int(line["operations"]), line["wall_s"], line["cpu_s"]))
        return found[1:]

    def command(self, text: str) -> None:
        """Have the workload do something to itself, and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
        while "done" not in self._next():
            pass


def client_command(port: int) -> list[str]:
    """Who puts the service under load: wrk if it is there."""
    wrk = shutil.which("wrk")
    if wrk:
        return [wrk, "-t1", "-c16", "-d36000s", f"http://127.0.0.1:{port}/"]
    return [sys.executable, str(WORKLOADS / "http_client.py"), str(port)]


@contextmanager
def running(workload: Workload) -> Iterator[Running]:
    """The workload, under load, until the end of the block."""
    command = [sys.executable, str(WORKLOADS / workload.script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        client: subprocess.Popen[bytes] | None = None
        try:
            found = Running(process)
            if workload.client:
                quiet = subprocess.DEVNULL
                client = subprocess.Popen(
                    client_command(int(found.facts["port"])), stdout=quiet, stderr=quiet
                )
            yield found
        finally:
            if client:
                client.kill()
                client.wait()
            process.kill()
