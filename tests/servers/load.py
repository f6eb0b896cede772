"""Servers from PyPI, and who puts them under load."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from detection.environments import NotHere, command
from patience import PATIENCE_S, until
from pythons import ROOT, clean_environment

TARGETS = ROOT / "tests" / "targets"
GUNICORN, CELERY = "gunicorn==23.0.0", "celery==5.4.0"
PATIENT = ("--timeout", "0", "--graceful-timeout", str(int(PATIENCE_S)))
"""For gunicorn: on a busy machine it would replace workers that it has not heard of for a while."""

REQUESTS_AT_ONCE = 3

Count = Callable[[], int]
"""Tells how much a server has kept, once its load has ended."""


def python_with(package: str) -> list[str]:
    """Return the command of a Python that has a package from PyPI, and "-m"."""
    try:
        return command("3.11", [package], Path("-m"))
    except NotHere as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert isinstance(port, int)
        return port


@contextmanager
def requests(port: int) -> Iterator[Count]:
    """Ask for something all the time; what is answered is kept."""
    answers, is_over = [0] * REQUESTS_AT_ONCE, threading.Event()

    def ask(number: int) -> None:
        while not is_over.is_set():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S).read()
                answers[number] += 1
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError):  # else it has not begun yet
                    raise
            time.sleep(0.01)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(REQUESTS_AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: sum(answers)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@contextmanager
def tasks(python: list[str], folder: Path) -> Iterator[Count]:
    """Give tasks all the time, until the block ends; each is done then."""
    giving = subprocess.Popen(
        [*python, "leaking_tasks"],
        cwd=TARGETS,
        env={**clean_environment(), "LEAKING_TASKS": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    done = folder / "done"
    try:
        yield lambda: done.stat().st_size
        given = int(giving.communicate(timeout=PATIENCE_S)[0])
        until(lambda: done.stat().st_size >= given)
    finally:
        giving.kill()
        giving.communicate()
