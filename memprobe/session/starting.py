"""A run from the attach to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from memprobe.session.folding import Judge
from memprobe.session.options import Options
from memprobe.session.run import Session
from memprobe.target.inspection.opening import opened


@contextmanager
def session(pid: int, options: Options, *watchers: Judge) -> Iterator[Session]:
    """Attach to a process until the block ends; `watchers` see every batch after the verdicts have."""
    with ExitStack() as held:
        run = Session(held.enter_context(opened(pid, patient=True)), options, *watchers)
        held.callback(run.close)
        run.start()
        yield run
