"""Where tracing is not possible: one line that says why, and what helps."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.running import complaint, run
from cli.unprivileged import as_nobody
from memprobe.config import Config
from memprobe.errors import NoKernelSupport, NotPermitted
from memprobe.native.trace import Tracer
from memprobe.sources.ptrace import windows
from memprobe.sources.ptrace.engine import check_engine
from memprobe.vocab.knobs import Knob
from ptrace_source.tracing import MANY, Traced, is_free, traced
from pythons import own
from target.looking import needs_root

PTRACE = ("--engine", "ptrace")

SEIZING = """
import sys
from memprobe.native._native import trace_seize
trace_seize(int(sys.argv[1]))
print("seized", flush=True)
sys.stdin.read()
"""


@contextmanager
def seized(pid: int) -> Iterator[int]:
    """Another tracer holds the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", SEIZING, str(pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"seized\n"
        yield process.pid
        process.kill()


class Unforkable:
    """A tracer for which there is no room sometimes."""

    is_full = True

    def __init__(self, *arguments: Any) -> None:
        self._tracer = Tracer(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracer, name)

    def begin(self, *arguments: Any, **more: Any) -> None:
        if Unforkable.is_full:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._tracer.begin(*arguments, **more)


def test_it_works_here() -> None:
    check_engine(Config())


def test_a_target_of_gdb_is_left_to_it(targets: Path) -> None:
    with own().spawn(targets / "service.py") as target:
        with seized(target.pid) as tracer:
            with pytest.raises(NotPermitted) as refused, traced(target.pid):
                pass
            assert f"is traced already, by process {tracer}" in refused.value.fact
            done = run("attach", target.pid, *PTRACE, "--duration", "1")
            assert f"is traced already, by process {tracer}" in complaint(done, 3)
        assert is_free(target.pid)


@needs_root
def test_another_user_may_not(targets: Path) -> None:
    with own().spawn(targets / "service.py") as target:
        done = as_nobody("attach", target.pid, *PTRACE, "--duration", "1")
        assert f"as root (sudo) or as the user who owns process {target.pid}" in complaint(done, 3)
        assert is_free(target.pid)


def test_the_same_user_may(targets: Path) -> None:
    """Without any capability, on either side."""
    wrapper = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs")
    with own().spawn(targets / "service.py", wrapper=wrapper) as target:
        done = run("attach", target.pid, *PTRACE, "--duration", "2", "--json", wrapper=wrapper)
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads(done.stdout)
        assert (report["evidence"]["engine"], report["target"]["tier"]) == ("ptrace", 1)
        assert is_free(target.pid)


def test_without_room_for_a_process_it_says_so_and_tries_again(
    targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "Tracer", Unforkable)
    monkeypatch.setattr(Unforkable, "is_full", True)
    with own().spawn(targets / "service.py") as target:
        with pytest.raises(NoKernelSupport, match="cannot start the process that traces"), traced(target.pid):
            pass
        Unforkable.is_full = False
        with traced(target.pid, MANY) as run:
            Unforkable.is_full = True
            run.source.turn(Knob.HANDLE_STACKS, 2)  # ends the window
            run.until(lambda: is_told(run))
            Unforkable.is_full = False
            run.until(lambda: not is_told(run))


def is_told(run: Traced) -> bool:
    return bool(run.batches) and any("cannot start the process" in one for one in run.batches[-1].invisible)
