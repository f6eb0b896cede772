"""A target program: started, talked to through its pipes, and gone when the test is over."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from patience import PATIENCE_S


class TargetFailed(AssertionError):
    """A target program ended, or did not say in time what was expected of it."""


class Target:
    """A running target program: lines in through `send`, lines out through `expect`."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.process = process
        self.pid = process.pid
        """The pid on this machine, also when the target has a root of its own."""
        self.ready = ""
        """What followed the word that `spawn` waited for."""
        self._errors = errors
        self._pending = b""

    def send(self, line: str) -> None:
        """Write one line to the target's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def expect(self, word: str = "", timeout_s: float = PATIENCE_S) -> str:
        """Wait for a line that starts with `word`; return the rest of it."""
        deadline = time.monotonic() + timeout_s
        while True:
            line = self._line(deadline, word)
            if line.startswith(word):
                return line[len(word) :].strip()

    def ask(self, line: str, timeout_s: float = PATIENCE_S) -> str:
        """Send one line and return the next line that comes back."""
        self.send(line)
        return self.expect("", timeout_s)

    def kill(self) -> None:
        """End the target and everything it started, and reap it."""
        if self.process.returncode is None:
            # The leader is not reaped yet, so its group still has this number.
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def errors(self) -> str:
        """What the target has written to its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _line(self, deadline: float, word: str) -> str:
        while b"\n" not in self._pending:
            chunk = self._chunk(deadline)
            if not chunk:
                raise TargetFailed(f"no line {word!r} from pid {self.pid}; its errors:\n{self.errors()}")
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode()

    def _chunk(self, deadline: float) -> bytes:
        """More output, or nothing at the end of it or of the time."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return b""
        return os.read(self.process.stdout.fileno(), 65536)


@contextmanager
def spawn_command(
    command: list[str], *, ready: str | None = "ready", environment: Mapping[str, str] | None = None
) -> Iterator[Target]:
    """Run any command as a target until the block ends."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            # Killed with the thread that started it, even when the tests die of SIGKILL.
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**clean_environment(), **(environment or {})},
            start_new_session=True,
        )
        target = Target(process, errors)
        try:
            if ready is not None:
                target.ready = target.expect(ready)
            yield target
        finally:
            target.kill()
            _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        try:
            pipe.close()
        except BrokenPipeError:  # an unsent line, and nobody to read it any more
            pass


def clean_environment() -> dict[str, str]:
    """The environment without what would steer a target: PYTHON*, PYENV*, LD_PRELOAD and such."""
    steering = ("PYTHON", "PYENV", "MEMPROBE", "LD_", "ASAN_", "UBSAN_", "COVERAGE", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
