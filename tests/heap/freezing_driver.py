"""Play memprobe that freezes a target, once for every line in: "pid limit_s hold_s"; out comes its pid.

Forked from here, it starts within a millisecond: the moments of a kill are then spread over all of it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import NoReturn

from memprobe.errors import MemprobeError
from memprobe.heap.freezing import frozen
from memprobe.target import killable
from memprobe.target.proc.process import open_process


def freeze(pid: int, limit_s: float, hold_s: float) -> None:
    with open_process(pid) as process, frozen(process, limit_s):
        time.sleep(hold_s)


def play(pid: int, limit_s: float, hold_s: float) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        killable.call(lambda: freeze(pid, limit_s, hold_s))
    except (MemprobeError, killable.ReaderDied):
        pass
    finally:
        os._exit(0)


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        pid, limit_s, hold_s = line.split()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody becomes a zombie
        child = os.fork()
        if child:
            print(child, flush=True)
            continue
        play(int(pid), float(limit_s), float(hold_s))


if __name__ == "__main__":
    main()
