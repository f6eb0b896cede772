"""The services of examples/: started, under load, and asked to leak."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pythons
from patience import PATIENCE_S

SERVICES = ("fastapi_service", "django_service")

NAMES = {
    "handles": "leak_handles",
    "sockets": "leak_sockets",
    "caches": "leaks.ANSWERS",
    "cycles": "leaks.Request",
    "listeners": "leaks.BUS.handlers",
    "tasks": "wait_for_reply",
    "timers": "expire",
    "threads": "leak_threads",
    "native": "leak_native",
}
"""By kind: what a finding must name, in its title, type, holder or stack."""

REQUESTS_PER_S, LEAKS_PER_S = 20, 4
AT_ONCE = {"threads": 1, "sockets": 2, "native": 25}
"""So many are leaked by a request; of the other kinds 5."""


@dataclass(frozen=True)
class Service:
    """A service that runs."""

    port: int
    pid: int

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        """Send one request; return status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def leak(self, kind: str, count: int) -> None:
        """Have it leak."""
        assert self.ask("POST", f"/leaks/{kind}/{count}")[0] == 200


@contextmanager
def serving(name: str) -> Iterator[Service]:
    """Start a service of examples/ until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(pythons.ROOT / "examples" / f"{name}.py"), str(port)]
    with pythons.spawn_command(command, ready=None) as target:
        service = Service(port, target.pid)
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                assert service.ask("GET", "/ready") == (200, {"pid": target.pid})
                break
            except OSError:
                assert target.process.poll() is None, target.errors()
                assert time.monotonic() < end_s
                time.sleep(0.05)
        yield service


@contextmanager
def load(service: Service, *kinds: str) -> Iterator[None]:
    """Ask for healthy things all the time, and a few times a second for leaks of these kinds."""
    is_over = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            number = 0
            while not is_over.wait(1 / REQUESTS_PER_S):
                number += 1
                assert service.ask("GET", f"/items/{number % 1000}")[0] == 200
                if number % (REQUESTS_PER_S // LEAKS_PER_S) == 0:
                    for kind in kinds:
                        service.leak(kind, AT_ONCE.get(kind, 5))
        except BaseException as error:  # noqa: BLE001 (raised below)
            failures.append(error)

    generator = threading.Thread(target=work, daemon=True)
    generator.start()
    try:
        yield
    finally:
        is_over.set()
        generator.join()
    assert not failures, failures


def watched(service: Service, seconds: float) -> list[dict[str, Any]]:
    """The findings of an attach that are sure."""
    command = [sys.executable, "-m", "memprobe.cli", "attach", str(service.pid), "--json", "--no-learn"]
    done = subprocess.run([*command, "--duration", str(seconds)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [one for one in json.loads(done.stdout)["findings"] if one["confidence"] >= 0.5]


def is_named(finding: dict[str, Any], kind: str) -> bool:
    """Whether a finding is of this kind, and names what leaks."""
    functions = " ".join(frame["function"] for frame in finding["site"])
    text = " ".join([finding["title"], finding["type"], finding["holder"], functions])
    return finding["kind"] == kind and NAMES[kind] in text
