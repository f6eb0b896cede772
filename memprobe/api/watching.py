"""A run on a live process in a thread of its own: it goes on while the caller does something else."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from memprobe.api.report import Report
from memprobe.config import Spoken, read_config
from memprobe.session import Options, Session, session
from memprobe.views.report import document


class Watch:
    """A run under way; made by `attach`."""

    def __init__(self, pid: int, options: Options) -> None:
        self._pid, self._options = pid, options
        self._asked: SimpleQueue[Future[Report]] = SimpleQueue()
        self._begun: Future[None] = Future()
        self._last: Future[Report] = Future()
        self._leave = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="memprobe", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        try:
            self._begun.result()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()
        self._last.exception()  # waits: whoever asks for the report is told of it

    @property
    def pid(self) -> int:
        """The process that is watched."""
        return self._pid

    def wait(self, seconds: float | None = None) -> bool:
        """Wait so long, or until the process has ended; return whether it still runs."""
        self._check_begun()
        return not self._over.wait(seconds)

    def report(self) -> Report:
        """Return what is known so far; after the block, what the run has come to.

        Raises what has ended the run, if something has.
        """
        self._check_begun()
        asked: Future[Report] = Future()
        self._asked.put(asked)
        if self._over.is_set():
            self._answer(self._last.result())
        return asked.result()

    def _check_begun(self) -> None:
        if self._thread.ident is None:
            raise ValueError(f"pid {self._pid} is not watched: use the watch in a with statement")

    def _stop(self) -> None:
        self._leave.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            with session(self._pid, self._options) as run:
                self._begun.set_result(None)
                run.run(lambda: self._goes_on(run))
                last = _reported(run)
                run.close()
                if run.recording_failure is not None:
                    raise run.recording_failure
        except BaseException as error:  # noqa: BLE001 (raised again where somebody waits for the result)
            self._fail(error)
        else:
            self._last.set_result(last)
            self._over.set()
            self._answer(last)

    def _goes_on(self, run: Session) -> bool:
        """Answer who has asked, in the thread of the run; return whether it goes on."""
        if not self._asked.empty():
            self._answer(_reported(run))
        return not self._leave.is_set()

    def _answer(self, report: Report) -> None:
        for one in self._waiting():
            one.set_result(report)

    def _fail(self, error: BaseException) -> None:
        self._last.set_exception(error)
        self._over.set()
        try:
            self._begun.set_exception(error)
        except InvalidStateError:
            pass  # it had begun
        for one in self._waiting():
            one.set_exception(error)

    def _waiting(self) -> list[Future[Report]]:
        found = []
        try:
            while True:
                found.append(self._asked.get_nowait())
        except Empty:
            return found


def attach(
    pid: int,
    *,
    tree: bool | None = None,
    record: Path | str | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    patterns: Sequence[str] = (),
) -> Watch:
    """Return a context manager that watches a process from outside while its block runs.

    tree       follow its children, too
    record     a file that does not exist yet: keep the run in it
    preset     default, production, development or aggressive
    settings   what `memprobe config show` lists, by key: {"budget.slowdown_pct": 0.5}
    patterns   what is never reported: "holder=app.cache.* # has its own limit"

    What is not given is as memprobe is configured on this machine. Raises UsageError for a setting that is
    none, and another MemprobeError if the process cannot be watched, when the block is entered.
    """
    options = {**(settings or {}), **({} if tree is None else {"run.tree": tree})}
    config = read_config(Spoken(preset=preset, options=options, protect=tuple(patterns)))
    return Watch(pid, Options(config, None if record is None else Path(record)))


def _reported(run: Session) -> Report:
    return Report.from_dict(document(run.ledger, run.report()))
