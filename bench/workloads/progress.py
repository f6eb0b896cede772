"""How a workload tells the harness how fast it is.

Every half second, at the same instants in every process, a thread prints one line of JSON: operations, wall
time and CPU time since the line before. So a tool can come and go within one life of the process, before and
after are the same process, and the lines of two processes are of the same half second.
Commands come in on stdin; its end is the end of the workload.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable

SLICE_S = 0.5

WITHOUT_BPF = ["setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--"]


def _protect(*before: str) -> None:
    """Have memprobe watch this process, from any CPU as other tools do: this one keeps to one."""
    import memprobe

    anywhere = ["taskset", "--cpu-list", f"0-{(os.cpu_count() or 1) - 1}"]
    memprobe.protect(command=[*anywhere, *before, sys.executable, "-m", "memprobe.cli"])


def _stop() -> None:
    import memprobe

    memprobe.stop()


COMMANDS: dict[str, Callable[[], object]] = {
    "tracemalloc on": tracemalloc.start,
    "tracemalloc off": tracemalloc.stop,
    "protect": _protect,
    "protect without BPF": lambda: _protect(*WITHOUT_BPF),
    "stop": _stop,
}


class Progress:
    """The count of finished operations, reported slice by slice."""

    def __init__(self) -> None:
        self.operations = 0
        """The workload adds to it."""

    def begin(self, **facts: object) -> None:
        """Say "ready" with what a client has to know, then report from now on."""
        _print({"ready": os.getpid(), **facts})
        threading.Thread(target=self._report, daemon=True).start()
        threading.Thread(target=_obey, daemon=True).start()

    def _report(self) -> None:
        operations, wall_s, cpu_s = self.operations, time.perf_counter(), time.process_time()
        while True:
            time.sleep(SLICE_S - time.perf_counter() % SLICE_S)
            now = self.operations, time.perf_counter(), time.process_time()
            _print(
                {
                    "end_s": now[1],
                    "operations": now[0] - operations,
                    "wall_s": now[1] - wall_s,
                    "cpu_s": now[2] - cpu_s,
                }
            )
            operations, wall_s, cpu_s = now


def _obey() -> None:
    """Run the commands; nobody there any more: end."""
    for line in sys.stdin:
        COMMANDS[line.strip()]()
        _print({"done": line.strip()})
    os._exit(0)


def _print(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
