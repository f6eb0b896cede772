"""Threads that never end, executors that are never shut down, and what ended threads leave."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.confidence import Sign, sure_of
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.handle_leaks import owner_of
from memprobe.detectors.memory_rates import LOOKS, average
from memprobe.detectors.sites import more_of, where
from memprobe.ledger.derived import ALL_THREADS
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Elements, What

SHARE = 0.5
"""Threads of known sorts that are half of those that were added explain them."""

NEARLY_ALL = 0.8
"""Of those that were added: so many are of one sort."""

POOLS = (
    "concurrent.futures.thread.",
    "concurrent/futures/thread.py",
    "multiprocessing.pool.",
    "multiprocessing/pool.py",
)
"""What the threads of executors run."""

THREADING = "threading.py"
STARTS = frozenset({"Thread.start", "start", "start_new_thread"})
NO_SITE = "Which line starts them is not known: memory was not seen to grow there."


class Threads:
    """Threads that run, and what is left of those that have ended."""

    kind = Kind.THREADS

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for the threads of each process, and one for each collection of what threads leave."""
        running = [one for one in evidence.growing(What.THREADS) if one.subject.type == ALL_THREADS]
        for total in running:
            yield _running(evidence, total)
        for kept in evidence.growing(What.CONTAINER):
            is_explained = any(one.pid == kept.pid and _keeps_pace(kept, one) for one in running)
            if kept.subject.elements is Elements.THREADS and not is_explained:
                yield _kept(kept)


def _keeps_pace(kept: Grown, total: Grown) -> bool:
    """Tell whether a collection of threads grows no faster than threads do: they run, that is why."""
    return kept.growth.per_s <= (1 + SHARE) * total.growth.per_s


def _running(evidence: Evidence, total: Grown) -> Suspect:
    """Say what is being started: the sorts of threads that become more, or at least that threads do."""
    counted = [
        one for one in evidence.of(What.THREADS) if one.pid == total.pid and one.subject.type != ALL_THREADS
    ]
    if all(one.growth.points < LOOKS for one in counted):
        return _suspect(evidence, total, _most(counted))
    sorts = [one for one in counted if one.added > 0]
    sorts.sort(key=lambda one: (-one.added, one.subject_id))
    known = sum(map(average, sorts)) >= SHARE * average(total)  # they are counted less often
    return _suspect(evidence, total, tuple(sorts) if known else ())


def _most(counted: list[Grown]) -> tuple[Grown, ...]:
    """Return the sorts that nearly all threads are of: after one look they are what has become more."""
    largest = max((one.count for one in counted), default=0)
    most = [one for one in counted if one.count >= SHARE * largest]
    most.sort(key=lambda one: (-one.count, one.subject_id))
    is_told = sum(one.count for one in most) >= NEARLY_ALL * sum(one.count for one in counted)
    return tuple(most) if is_told else ()


def _suspect(evidence: Evidence, total: Grown, sorts: tuple[Grown, ...]) -> Suspect:
    lead = sorts[0] if sorts else total
    runs = lead.subject.type if sorts else "thread"
    owner = owner_of(evidence, total, Elements.THREADS)
    site = _started(evidence, total.pid, lead.subject.site) or lead.subject.site
    signs = [Sign.NOT_DATA]
    if sorts and all(one.subject.limit is not None for one in sorts):
        signs.append(Sign.LIMITED)
    elif sorts and average(lead) >= NEARLY_ALL * average(total):
        signs.append(Sign.ALIKE)
    return Suspect(
        kind=Kind.THREADS,
        grown=(total, *sorts, *([owner] if owner else [])),
        confidence=sure_of(total.growth, *signs),
        title=f"{total.count:,} threads have not ended, {more_of(total)}"
        f"{f', many of them run {runs}' if sorts else ''}{where('started', site)}",
        type=runs,
        holder=owner.subject.holder if owner else lead.subject.holder,
        site=site,
        evidence=tuple(_seen(total, sorts)),
        fix=_cause(lead, sorts),
        limits=() if site else (NO_SITE,),
        resource="threads",
    )


def _seen(total: Grown, sorts: tuple[Grown, ...]) -> Iterator[str]:
    if sorts:
        yield f"The process had {total.count - total.added:,} threads at first."
    for one in sorts:
        waits = one.subject.site[0] if one.subject.site else None
        place = f", waiting in {waits.function} (line {waits.line})" if waits else ""
        yield f"{one.count:,} ran {one.subject.type}{place} when the heap was last looked at."


def _cause(lead: Grown, sorts: tuple[Grown, ...]) -> Cause:
    frames = " ".join(frame.file for frame in lead.subject.site)
    if any(pool in lead.subject.type or pool in frames for pool in POOLS):
        return Cause.EXECUTOR_NOT_SHUT_DOWN
    return Cause.THREADS_NOT_ENDED


def _started(evidence: Evidence, pid: int, waits: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return where most threads are started: their stacks make memory grow there.

    Other threads may be started more often, and end: those that wait run code of where they were started.
    """
    starts = [growth.site for growth in evidence.ledger.growth_sites(pid) if _is_start(growth.site)]
    files = {frame.file for frame in waits if not frame.file.endswith(THREADING)}
    of_these = (site for site in starts if any(frame.file in files for frame in site))
    return next(of_these, starts[0] if starts else ())


def _is_start(site: tuple[Frame, ...]) -> bool:
    return bool(site) and site[0].function in STARTS and site[0].file.endswith(THREADING)


def _kept(kept: Grown) -> Suspect:
    subject = kept.subject
    return Suspect(
        kind=Kind.THREADS,
        grown=(kept,),
        confidence=sure_of(kept.growth, Sign.NOT_DATA),
        title=f"{subject.holder} keeps {kept.count:,} {subject.type} of threads, {more_of(kept)}",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=(),
        fix=Cause.THREADS_KEPT,
    )
