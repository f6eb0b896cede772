"""A word of memprobe's own under a watchpoint: what a hit costs on this machine is measured on it."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import WATCH
from memprobe.sources.kernel.watchpoints import PROGRAM
from memprobe.vocab.costs import Hook, ProgramRuns


class OwnWord:
    """One word, and a copy of the program that counts for nobody else."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._words = array("Q", [0])

    def write(self) -> None:
        """Change the word: one hit while it is watched."""
        self._words[0] = 1

    @contextmanager
    def watched(self) -> Iterator[Callable[[], ProgramRuns]]:
        """Watch it in this thread; what is given tells how often the program has run. Raises BpfError."""
        with self._programs.spare(WATCH) as made:
            address, _ = self._words.buffer_info()
            made.attach_watchpoint(PROGRAM, address=address, tid=threading.get_native_id())
            yield lambda: ProgramRuns(PROGRAM, Hook.WATCHPOINT, *made.run_counts[PROGRAM][:2])
