"""An inspection that nobody made: every field filled, and a way to change some."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memprobe.target.inspection.document import (
    CheckPart,
    CollectorPart,
    FramePart,
    HandlesPart,
    Inspection,
    InterpreterPart,
    MemoryPart,
    ProcessPart,
    PythonPart,
    TargetPart,
    ThreadPart,
)

FRAMES = (FramePart("Worker.wait", "/srv/app/worker.py", 31), FramePart("<module>", "/srv/app/main.py", 7))

INSPECTION = Inspection(
    created_at="2026-11-21T12:00:00Z",
    target=TargetPart(
        pid=4711,
        ns_pid=4711,
        start_time="2026-11-21T09:57:00Z",
        uptime_s=7380.0,
        cmdline=("python3", "main.py", "--port", "80 80"),
        exe="/usr/bin/python3.11",
        uid=1000,
        python="3.11.7",
        build="static, stripped",
        container=None,
        tier=1,
    ),
    python=PythonPart(
        version="3.11.7",
        hexversion=0x030B07F0,
        runtime_address=0x9E1240,
        binary="/usr/bin/python3.11",
        build_id="0123abcd",
        layout_source="table",
        stacks_from="memprobe",
        checks=(CheckPart("type of type", True, "it is type"),),
        interpreters=(InterpreterPart(0, 0x7F00, True, 2),),
    ),
    threads=(
        ThreadPart(4711, "python3", "MainThread", 140000, 0, True, False, FRAMES, True),
        ThreadPart(4712, "python3", "pool-1", 140001, 0, False, True, FRAMES[:1], False),
        ThreadPart(4713, "grpc_global", None, None, None, None, None, (), None),
    ),
    process=ProcessPart(
        threads=3,
        fds=12,
        fd_limit=1024,
        gc=CollectorPart(True, False, (412, 3, 1), (700, 10, 10), (120, 11, 1), (412, 80, None)),
    ),
    memory=MemoryPart(
        rss_mb=143.25,
        rss_peak_mb=150.0,
        pss_mb=140.0,
        uss_mb=139.5,
        swap_mb=0.0,
        vms_mb=900.0,
        limit_mb=512.0,
        limit_used_mb=150.0,
        arenas=31,
        arenas_mb=31.0,
        arena_free_mb=2.5,
    ),
    handles=(HandlesPart("file", 3, ("/var/log/app.log",)), HandlesPart("socket", 9, ("tcp 10.0.0.1:80",))),
    invisible=("Birth stacks of handles: tier 2 is needed.",),
)


def changed(part: str, **values: Any) -> Inspection:
    """The made-up inspection with some values of one of its parts replaced."""
    return replace(INSPECTION, **{part: replace(getattr(INSPECTION, part), **values)})
