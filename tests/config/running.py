"""Runs on real processes in the test's own process, without the kernel's help: quick, and all can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from memprobe.config import Config
from memprobe.session import Options, Session, session
from memprobe.vocab.engines import PROC


@contextmanager
def run_on(pid: int, config: Config, record: Path | None = None) -> Iterator[Session]:
    """A run that has begun, at tier 1."""
    with session(pid, Options(config.having({"run.engine": PROC}), record)) as run:
        yield run


def tick(run: Session, times: int, watch: Callable[[Session], None] | None = None) -> None:
    """Go through the loop so many times, and end the run."""
    left = iter(range(times))
    run.run(lambda: next(left, None) is not None, watch)
