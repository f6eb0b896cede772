"""One process that is followed: how it is held, and when it is to be looked at again."""

from __future__ import annotations

import time

from memprobe.errors import NotPermitted
from memprobe.sources.procfs.children import Children
from memprobe.sources.procfs.networks import Networks
from memprobe.sources.procfs.options import ProcfsOptions
from memprobe.sources.procfs.pictures import DESCRIPTORS_LIMIT, Picture, Pictures, count_descriptors
from memprobe.sources.procfs.regions import take_regions
from memprobe.sources.procfs.samples import take_sample
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab.rows import REGION, Rows, no_rows

NS = 1_000_000_000


class Due:
    """When something dear is to be done again: after an interval, and within a share of a CPU."""

    def __init__(self) -> None:
        self.at_ns = 0
        """When it is due, CLOCK_MONOTONIC."""

    def done(self, cost_ns: int, interval_s: float, cpu_share: float) -> None:
        """Note that it was done just now, and what it cost."""
        pause_ns = max(interval_s * NS, cost_ns / cpu_share)
        self.at_ns = time.monotonic_ns() + int(pause_ns)


class Followed:
    """One process and what is remembered of it between polls."""

    def __init__(self, process: Process, python: Python | None, networks: Networks, *, owned: bool) -> None:
        self.process = process
        self.python = python
        self.children = Children(process)
        self.picture_due = Due()
        self.rare_due = Due()
        self.region_due = Due()
        self.denied: str = ""
        """Why its descriptors cannot be seen; empty if they can."""
        self._pictures = Pictures(process, networks)
        self._owned = owned

    def close(self) -> None:
        """Let go of the process, unless somebody else holds it for us."""
        if self._owned:
            self.process.close()

    def sample(self, options: ProcfsOptions) -> Rows:
        """Return one SAMPLE row."""
        started_ns = time.thread_time_ns()
        rarely = time.monotonic_ns() >= self.rare_due.at_ns
        rows = take_sample(self.process, self.python, rarely=rarely)
        if rarely:
            cost_ns = time.thread_time_ns() - started_ns
            self.rare_due.done(cost_ns, options.rare_interval_s, options.rare_share)
        return rows

    def regions(self, options: ProcfsOptions) -> Rows:
        """Return the REGION rows if they are due, else none."""
        started_ns = time.thread_time_ns()
        if time.monotonic_ns() < self.region_due.at_ns:
            return no_rows(REGION)
        rows = take_regions(self.process, self.python)
        cost_ns = time.thread_time_ns() - started_ns
        self.region_due.done(cost_ns, options.region_interval_s, options.rare_share)
        return rows

    def picture(self, options: ProcfsOptions, limit_ns: int) -> Picture | None:
        """Take a picture of its descriptors; None if that is not possible, and `denied` says why."""
        started_ns = time.thread_time_ns()
        try:
            return self._picture(limit_ns)
        except NotPermitted as error:
            self.denied = f"open handles: {error.fact}"
            return None
        finally:
            cost_ns = time.thread_time_ns() - started_ns
            self.picture_due.done(cost_ns, options.picture_interval_s, options.picture_share)

    def _picture(self, limit_ns: int) -> Picture | None:
        count = count_descriptors(self.process) or 0
        if count > DESCRIPTORS_LIMIT:
            self.denied = f"open handles: process {self.process.pid} has {count:,}, too many to look at each"
            return None
        self.denied = ""
        return self._pictures.take(limit_ns)
