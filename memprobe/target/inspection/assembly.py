"""One look at a process, from opening it to the finished document; the same for a saved image.

collect  /proc and the binaries              -> Evidence   (an image carries it)
decode   Evidence and the memory it is about -> Inspection (the document)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from memprobe.errors import LayoutCheckFailed, NotPermitted, OutputNotWritable, ReadFault, UnreadableImage
from memprobe.target.binary.runtime import check_supported
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.inspection import parts
from memprobe.target.inspection.document import CheckPart, Inspection, PythonPart
from memprobe.target.inspection.evidence import (
    Evidence,
    as_image_facts,
    collect,
    from_image_facts,
    with_threads_of_now,
)
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab import Memory

LATE_THREADS_ATTEMPTS = 2
IMAGE_LIMITED = "The image holds only a part of what was read: it would have become too large."


def inspect_process(pid: int, *, save_image: str | None = None) -> Inspection:
    """Look at a running process once; with `save_image`, save what was read of its memory too."""
    with open_process(pid) as process, _gone_said_so(process):
        live = _open_memory(process)
        if isinstance(live, NotPermitted):
            return _inspect_from_outside(process, live, save_image)
        with live:
            if save_image is not None:
                return _inspect_and_save(process, live, save_image)
            return _inspect_from_inside(process, live)[1]


def _inspect_and_save(process: Process, live: LiveMemory, path: str) -> Inspection:
    from memprobe.target.memory.recording import RecordingMemory

    memory = RecordingMemory(live)
    evidence, inspection = _inspect_from_inside(process, memory)
    memory.save(path, as_image_facts(evidence))
    return inspection if memory.complete else parts.also_invisible(inspection, IMAGE_LIMITED)


def _inspect_from_outside(process: Process, denied: NotPermitted, save_image: str | None) -> Inspection:
    """Tier 0: without the right to read its memory, which an image would consist of."""
    if save_image is not None:
        raise denied
    inspection = decode(None, collect(process, denied))
    process.check()
    return inspection


def _inspect_from_inside(process: Process, memory: Memory) -> tuple[Evidence, Inspection]:
    """Tier 1. A thread that began between the two looks is looked for again."""
    evidence = collect(process, memory)
    inspection = decode(memory, evidence)
    for _ in range(LATE_THREADS_ATTEMPTS):
        if all(thread.tid is not None for thread in inspection.threads):
            break
        evidence = with_threads_of_now(process, evidence)
        inspection = decode(memory, evidence)
    process.check()
    return evidence, inspection


def inspect_image(path: str) -> Inspection:
    """Look at a saved image as if the process were still there."""
    from memprobe.target.memory.image import ImageMemory

    with ImageMemory.open(path) as memory:
        evidence = from_image_facts(memory.facts, path)
        check_supported(evidence.runtimes[0])
        try:
            return decode(memory, evidence)
        except ReadFault as fault:
            raise UnreadableImage(f"{path!r} lacks memory that it should have: {fault}") from None


def check_writable(path: str) -> None:
    """Raise OutputNotWritable if an image could not be written there; called before any work is done."""
    import tempfile  # slow to import, and only who saves an image needs it

    folder = os.path.dirname(path) or "."
    if os.path.exists(path) and not os.path.isfile(path):
        reason = "it is there already and not a regular file"
    else:
        try:
            with tempfile.TemporaryFile(dir=folder):
                return
        except OSError as error:
            reason = f"no file can be made in {folder!r}: {error.strerror}"
    raise OutputNotWritable(f"cannot write the memory image {path!r}: {reason}", remedy="give another path")


def decode(memory: Memory | None, evidence: Evidence) -> Inspection:
    """Understand the memory of a process; None if it may not be read."""
    if memory is None:
        return parts.without_python(evidence, _unread(evidence), _why_denied(evidence))
    try:
        python = attach_python(
            memory,
            evidence.runtimes[0],
            evidence.mappings,
            parts.os_threads(evidence),
            symbols=evidence.local_symbols,
            machine=evidence.machine,
        )
    except LayoutCheckFailed as failure:
        failed = CheckPart("layout", False, failure.fact)
        return parts.without_python(
            evidence, _unread(evidence, failed), f"Python stacks, collector and arenas: {failure.fact}."
        )
    return _with_python(python, evidence)


def _with_python(python: Python, evidence: Evidence) -> Inspection:
    threads = python.threads()
    return parts.with_python(
        evidence,
        python=parts.python_part(python, evidence, threads),
        threads=parts.merged_threads(evidence, threads),
        collector=python.collector(),
        arenas=python.arenas(),
        invisible=python.invisible,
    )


def _unread(evidence: Evidence, *checks: CheckPart) -> PythonPart:
    return parts.unread_python(evidence, checks)


def _why_denied(evidence: Evidence) -> str:
    return f"Python stacks, collector and arenas: {evidence.memory_denied}."


@contextmanager
def _gone_said_so(process: Process) -> Iterator[None]:
    """Turn ESRCH of any file in /proc into words: a process gives up its files before it is a zombie."""
    try:
        yield
    except ProcessLookupError:
        raise process.folder.ended() from None


def _open_memory(process: Process) -> LiveMemory | NotPermitted:
    try:
        return LiveMemory(process.id, process.pidfd)
    except NotPermitted as error:
        return error
