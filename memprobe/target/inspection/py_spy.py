"""Stacks from py-spy, for when memprobe's own layout tables do not hold on a process.

py-spy is the extra `[py-spy]`. It is asked not to pause the target, as memprobe never does.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

from memprobe.target.inspection.document import FramePart, Inspection, ThreadPart

NAME = "py-spy"
TIMEOUT_S = 10.0
OUTPUT_LIMIT = 64 << 20
MISSING = "py-spy would show the stacks; it is not installed: pip install memprobe-ebpf[py-spy]."


def with_stacks(inspection: Inspection) -> Inspection:
    """Fill in the stacks that memprobe could not read, and mark where they come from."""
    if not is_wanted(inspection):
        return inspection
    program = find()
    if program is None:
        return _also(inspection, MISSING)
    try:
        threads = dump(program, inspection.target.pid)
    except (OSError, ValueError) as error:
        return _also(inspection, f"py-spy could not read the stacks either: {_first_line(error)}.")
    return marked(inspection, threads)


def is_wanted(inspection: Inspection) -> bool:
    """Whether a layout check has cost the stacks."""
    python = inspection.python
    return (
        python is not None and python.stacks_from is None and any(not check.passed for check in python.checks)
    )


def find() -> str | None:
    """The py-spy of memprobe's own environment, else the one on the PATH."""
    import shutil

    own = os.path.join(os.path.dirname(sys.executable), NAME)
    return own if os.access(own, os.X_OK) else shutil.which(NAME)


def dump(program: str, pid: int) -> list[dict[str, Any]]:
    """Run it once; raises OSError or ValueError."""
    import subprocess

    try:
        done = subprocess.run(
            command(program, pid), capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"no answer after {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}")
    return threads_in(done.stdout[:OUTPUT_LIMIT])


def command(program: str, pid: int) -> list[str]:
    """The command that has it say what the threads of a process run just now."""
    return [program, "dump", "--nonblocking", "--json", "--pid", str(pid)]


def threads_in(output: bytes) -> list[dict[str, Any]]:
    """What it has said of each thread; raises ValueError if that is not what it says."""
    threads = json.loads(output)
    return [thread for thread in threads if isinstance(thread, dict)] if isinstance(threads, list) else []


def frames_of(thread: dict[str, Any]) -> tuple[FramePart, ...]:
    """The frames of a thread, innermost first."""
    frames = thread.get("frames")
    if not isinstance(frames, list):
        return ()
    return tuple(_frame(frame) for frame in frames if isinstance(frame, dict))


def marked(inspection: Inspection, threads: list[dict[str, Any]]) -> Inspection:
    """The inspection with the threads of py-spy in place of its own, and saying so."""
    assert inspection.python is not None
    os_names = {thread.tid: thread.os_name for thread in inspection.threads}
    theirs = [_thread(thread, os_names) for thread in threads]
    known = {thread.tid for thread in theirs}
    others = [thread for thread in inspection.threads if thread.tid not in known]
    merged = replace(
        inspection,
        python=replace(inspection.python, stacks_from=NAME),
        threads=tuple(sorted((*theirs, *others), key=lambda part: (part.tid is None, part.tid or 0))),
    )
    return _also(merged, "Memprobe's own stacks: those shown were read by py-spy.")


def _thread(thread: dict[str, Any], os_names: dict[int | None, str | None]) -> ThreadPart:
    tid = _integer(thread.get("os_thread_id"))
    return ThreadPart(
        tid=tid,
        os_name=os_names.get(tid),
        name=_text(thread.get("thread_name")) or None,
        thread_id=_integer(thread.get("thread_id")),
        interpreter=None,
        holds_gil=bool(thread.get("owns_gil")),
        daemon=None,
        frames=frames_of(thread),
        complete=None,
    )


def _frame(frame: dict[str, Any]) -> FramePart:
    return FramePart(_text(frame.get("name")), _text(frame.get("filename")), _integer(frame.get("line")) or 0)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _also(inspection: Inspection, sentence: str) -> Inspection:
    return replace(inspection, invisible=(*inspection.invisible, sentence))
