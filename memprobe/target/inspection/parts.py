"""The parts of an inspection, each made from what was measured; nothing here reads anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from memprobe.target.cpython.arenas import Arenas
from memprobe.target.cpython.collector import Collector
from memprobe.target.cpython.python import Python, PythonThread
from memprobe.target.cpython.threads import OsThread
from memprobe.target.inspection.document import (
    CheckPart,
    CollectorPart,
    FamilyPart,
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
from memprobe.target.inspection.evidence import Evidence, iso
from memprobe.target.proc.facts import ThreadFacts
from memprobe.target.proc.handles import Handles
from memprobe.target.proc.memory_split import MemorySplit

MEGABYTE = 1 << 20


def os_threads(evidence: Evidence) -> tuple[OsThread, ...]:
    """The threads that the kernel lists, as the Python side wants them."""
    return tuple(OsThread(thread.tid, thread.tid_inside, thread.name) for thread in evidence.facts.threads)


def with_python(
    evidence: Evidence,
    *,
    python: PythonPart,
    threads: tuple[ThreadPart, ...],
    collector: Collector | None,
    arenas: Arenas,
    invisible: Iterable[str],
) -> Inspection:
    """The document of a process whose memory was understood."""
    sentences = [_sentence(text) for text in invisible]
    sentences += _gaps(threads, collector)
    sentences += [_sentence(arenas.reason)] if arenas.reason else []
    return _inspection(evidence, 1, python, threads, collector_part(collector), arenas, sentences)


def without_python(evidence: Evidence, python: PythonPart, why: str) -> Inspection:
    """The document of a process of which only the outside was seen, and why."""
    threads = merged_threads(evidence, ())
    return _inspection(evidence, 0, python, threads, None, None, [_sentence(why)])


def also_invisible(inspection: Inspection, sentence: str) -> Inspection:
    """The same with one more sentence about what is missing."""
    return replace(inspection, invisible=(*inspection.invisible, sentence))


def _inspection(
    evidence: Evidence,
    tier: int,
    python: PythonPart,
    threads: tuple[ThreadPart, ...],
    collector: CollectorPart | None,
    arenas: Arenas | None,
    invisible: list[str],
) -> Inspection:
    facts = evidence.facts
    return Inspection(
        created_at=evidence.created_at,
        target=target_part(evidence, tier),
        python=python,
        threads=threads,
        process=ProcessPart(
            threads=facts.thread_count,
            fds=facts.handles.open if facts.handles else None,
            fd_limit=facts.handles.limit if facts.handles else None,
            gc=collector,
        ),
        memory=memory_part(facts.memory, arenas),
        handles=_handles(facts.handles),
        invisible=(*invisible, *_outside_gaps(evidence)),
    )


def target_part(evidence: Evidence, tier: int) -> TargetPart:
    """Who the process is."""
    facts = evidence.facts
    return TargetPart(
        pid=facts.pid,
        ns_pid=facts.pid_inside,
        start_time=iso(facts.started_at),
        uptime_s=round(facts.uptime_s, 2),
        cmdline=facts.cmdline,
        exe=facts.exe,
        uid=facts.uid,
        python=evidence.runtimes[0].version.text,
        build=_build(evidence),
        container=facts.container.text if facts.container else None,
        tier=tier,
    )


def _build(evidence: Evidence) -> str:
    place = evidence.runtimes[0]
    return f"{place.build}, its file deleted or replaced since" if place.mapping.is_deleted else place.build


def python_part(python: Python, evidence: Evidence, threads: Sequence[PythonThread]) -> PythonPart:
    """What is known of a runtime that was attached."""
    counts = Counter(thread.interpreter for thread in threads)
    return replace(
        unread_python(evidence, ()),
        layout_source=python.layout.source,
        stacks_from="memprobe" if any(thread.stack for thread in threads) else None,
        checks=tuple(CheckPart(check.name, check.passed, check.detail) for check in python.checks),
        interpreters=tuple(
            InterpreterPart(one.id, one.address, one.is_main, counts[one.id]) for one in python.interpreters()
        ),
    )


def unread_python(evidence: Evidence, checks: Sequence[CheckPart]) -> PythonPart:
    """What the binary alone tells of a runtime."""
    place = evidence.runtimes[0]
    return PythonPart(
        version=place.version.text,
        hexversion=place.version.hexversion,
        runtime_address=place.address,
        binary=place.path,
        build_id=place.build_id or None,
        layout_source=None,
        stacks_from=None,
        checks=tuple(checks),
        interpreters=(),
    )


def merged_threads(evidence: Evidence, threads: Sequence[PythonThread]) -> tuple[ThreadPart, ...]:
    """Every thread once: those that Python knows with their stacks, then those that only the kernel knows."""
    names = {thread.tid: thread for thread in evidence.facts.threads}
    known = {thread.tid for thread in threads}
    seen = [_python_thread(thread, names) for thread in threads]
    seen += [_foreign_thread(thread, bool(threads)) for tid, thread in names.items() if tid not in known]
    return tuple(sorted(seen, key=lambda part: (part.tid is None, part.tid or 0)))


def _python_thread(thread: PythonThread, names: dict[int, ThreadFacts]) -> ThreadPart:
    behind = names.get(thread.tid) if thread.tid is not None else None
    frames = thread.stack.frames if thread.stack else ()
    return ThreadPart(
        tid=thread.tid,
        os_name=behind.name if behind else None,
        name=thread.name or None,
        thread_id=thread.ident,
        interpreter=thread.interpreter,
        holds_gil=thread.holds_gil,
        daemon=thread.daemon,
        frames=tuple(FramePart(frame.function, frame.file, frame.line) for frame in frames),
        complete=thread.stack.complete if thread.stack else None,
    )


def _foreign_thread(thread: ThreadFacts, python_was_read: bool) -> ThreadPart:
    """A thread without a Python state: it runs no Python, if Python was read at all."""
    read = True if python_was_read else None
    holds = False if python_was_read else None
    return ThreadPart(thread.tid, thread.name, None, None, None, holds, None, (), read)


def collector_part(collector: Collector | None) -> CollectorPart | None:
    """The collector, as the document has it."""
    if collector is None:
        return None
    return CollectorPart(
        enabled=collector.enabled,
        collecting=collector.collecting,
        counts=collector.counts,
        thresholds=collector.thresholds,
        collections=collector.collections,
        objects=collector.objects,
    )


def memory_part(memory: MemorySplit | None, arenas: Arenas | None) -> MemoryPart:
    """The memory, in units of 2**20 bytes."""
    limit = memory.limit if memory else None
    return MemoryPart(
        rss_mb=_megabytes(memory.rss_bytes if memory else None),
        rss_peak_mb=_megabytes(memory.rss_peak_bytes if memory else None),
        pss_mb=_megabytes(memory.pss_bytes if memory else None),
        uss_mb=_megabytes(memory.uss_bytes if memory else None),
        swap_mb=_megabytes(memory.swap_bytes if memory else None),
        vms_mb=_megabytes(memory.vms_bytes if memory else None),
        limit_mb=_megabytes(limit.limit_bytes if limit else None),
        limit_used_mb=_megabytes(limit.used_bytes if limit else None),
        arenas=arenas.count if arenas else None,
        arenas_mb=_megabytes(arenas.size_bytes if arenas else None),
        arena_free_mb=_megabytes(arenas.free_bytes if arenas else None),
    )


def _megabytes(size: int | None) -> float | None:
    return None if size is None else round(size / MEGABYTE, 3)


def _handles(handles: Handles | None) -> tuple[HandlesPart, ...]:
    kinds = handles.kinds if handles else ()
    return tuple(
        HandlesPart(
            kind.kind, kind.open, kind.examples, tuple(FamilyPart(*family) for family in kind.families)
        )
        for kind in kinds
    )


def _gaps(threads: tuple[ThreadPart, ...], collector: Collector | None) -> Iterator[str]:
    """What the memory did not show although it could be read."""
    torn = sum(thread.complete is False for thread in threads)
    if torn:
        yield f"{torn} of {len(threads)} stacks are not complete: they changed while they were read."
    nameless = sum(thread.tid is None for thread in threads)
    if nameless:
        yield f"For {nameless} Python threads it is not sure which thread of the kernel they are."
    for generation, count in enumerate(collector.objects if collector else ()):
        if count is None:
            yield f"The objects of generation {generation}: too many, or the list would not hold still."


def _outside_gaps(evidence: Evidence) -> Iterator[str]:
    """What /proc did not show."""
    facts = evidence.facts
    yield from (_sentence(fact) for fact in facts.denied)
    if facts.thread_count > len(facts.threads) > 0:
        unseen = facts.thread_count - len(facts.threads)
        yield f"{unseen:,} threads: only {len(facts.threads):,} were looked at."
    if facts.handles and facts.handles.unread:
        yield f"The kinds of {facts.handles.unread:,} handles: there are too many to look at each."
    for place in evidence.runtimes[1:]:
        yield f"A second Python runtime, {place.version.text} in {place.path}, was not looked into."


def _sentence(text: str) -> str:
    """A text with a capital letter and a full stop."""
    text = text.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
