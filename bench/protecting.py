"""What protect() costs the application that calls it.

Measured as in bench/overhead.py: CPU time of an operation, held against that of a twin in the same half
second, in blocks without and with in turn; here the workload itself calls protect() and stop(). Once with
all rights, and once without those that BPF needs, as an ordinary user is. The start of the guard is not in
it.
Prints tables and writes bench/results/protecting.md.

    --quick            fewer and shorter blocks: does everything work?
    --pairs N          pairs per row (12)
    --only TEXT        workloads whose name contains this
    --check            end with 1 if a row is over its promise (median 1 %, upper bound 2 %)
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from overhead import broken_promises, row, table, write
from pairing.process import WORKLOAD_TABLE, Running, Workload
from pairing.tools import Nothing, Tool, ToolFailed
from pairing.usage import cpu_s, wait_until_attached

RESULTS = Path(__file__).resolve().parent / "results" / "protecting.md"
PATIENCE_S = 60.0


class Protect(Tool):
    """The workload calls protect()."""

    name = "memprobe protect()"
    settle_s = 3.0
    call = "protect"

    def __init__(self) -> None:
        self._guard = 0

    def missing(self) -> str:
        """What it takes to have all rights, or to give some up."""
        return "run as root" if os.geteuid() else ""

    def attach(self, target: Running) -> None:
        """Have it call protect(), and wait for the guard."""
        target.command(self.call)
        self._guard = guard_of(target.pid)
        self.wait()

    def wait(self) -> None:
        """Wait until the guard has attached."""
        try:
            wait_until_attached(self._guard)
        except TimeoutError as error:
            raise ToolFailed(str(error)) from error

    def detach(self, target: Running) -> None:
        """Have it call stop(), which returns when nothing is left."""
        target.command("stop")
        self._guard = 0

    def cpu_s(self) -> float | None:
        """CPU time of the guard and of those that it has look at heaps."""
        return cpu_s(self._guard)


class ProtectWithoutBpf(Protect):
    """The same of a guard that may not ask the kernel."""

    name = "memprobe protect() without CAP_BPF"
    call = "protect without BPF"

    def wait(self) -> None:
        """Nothing: what it attaches is not to be seen from here; `settle_s` must do."""


def guard_of(pid: int) -> int:
    """Return the process that watches another on its behalf."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        for one in psutil.process_iter(["cmdline"]):
            if (one.info["cmdline"] or [])[-2:] == ["guard", str(pid)]:
                return int(one.pid)
        time.sleep(0.1)
    raise ToolFailed(f"nobody watches {pid}")


def measured(workload: Workload, options: argparse.Namespace) -> tuple[str, list[str]]:
    """Return the table of a workload, and the promises that it breaks."""
    rows = []
    for tool in (Nothing(), Protect(), ProtectWithoutBpf()):
        rows.append(row(workload, tool, options.pairs, options.slices))
        print(f"{workload.name}: {list(table(workload, rows))[-1]}", flush=True)
    return "\n".join(table(workload, rows)), list(broken_promises(workload, rows))


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    options.pairs = options.pairs or (3 if options.quick else 12)
    options.slices = 2 if options.quick else 4
    # By `finally`, so that no workload and no client stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broken: list[str] = []
    for workload in (one for one in WORKLOAD_TABLE if options.only.lower() in one.name.lower()):
        found, more = measured(workload, options)
        write(RESULTS, workload.name, found, options)
        broken += more
    print(*broken, sep="\n")
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
