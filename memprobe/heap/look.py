"""One look at the heap of a process: what `memprobe heap` does in the child that reads.

open the target     -> tier 1, or why not
survey              -> a census, and what the references tell, as far as it was asked for
again, with --diff  -> what grew
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from memprobe.errors import LayoutCheckFailed, TargetGone
from memprobe.heap.document import EvidencePart, FrozenPart, Heap, TotalsPart, WindowPart
from memprobe.heap.freezing import Freeze, frozen
from memprobe.heap.reaching import reached
from memprobe.heap.room import limit_memory
from memprobe.heap.survey import LetGo, Survey, surveyed
from memprobe.heap.telling import Tell, Telling
from memprobe.heap.wishes import Wishes
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.opening import Opened, resident_bytes
from memprobe.target.proc.process import Process


@dataclass(slots=True)
class Stops:
    """How long the target stood, over all stops of one look."""

    freezes: list[Freeze] = field(default_factory=list)

    @contextmanager
    def held(self, process: Process, limit_s: float | None) -> Iterator[LetGo]:
        """Hold the target until the block ends, or what it gets is called, if that is wanted."""
        with ExitStack() as hold:
            if limit_s is not None:
                self.freezes.append(hold.enter_context(frozen(process, limit_s)))
            yield hold.close

    def part(self) -> FrozenPart | None:
        """What they have come to."""
        if not self.freezes:
            return None
        return FrozenPart(
            threads=max(freeze.threads for freeze in self.freezes),
            held_ms=round(1e3 * sum(freeze.held_s or 0.0 for freeze in self.freezes), 3),
            exact=not any(freeze.outlasted for freeze in self.freezes),
        )


def look(pid: int, wishes: Wishes, tell: Tell) -> Heap:
    """Look at a process; raise NotPermitted, or what `inspect` raises of what cannot be looked into."""
    begin = time.time()
    limit_memory()
    with reached(pid) as target:
        if target.python is None:
            return _from_outside(target, begin)
        try:
            return _from_inside(target, wishes, Telling(tell), begin)
        except LayoutCheckFailed as failure:
            return _from_outside(replace(target, python=None, obstacle=failure), begin)


def _from_inside(target: Opened, wishes: Wishes, telling: Telling, begin: float) -> Heap:
    stops = Stops()
    first = None
    if wishes.diff_s is not None:
        with stops.held(target.process, wishes.freeze_s) as let_go:
            first = surveyed(target, wishes, telling, let_go, census_only=True)
        left_s = wishes.diff_s - first.took_s
        telling.wait("waiting for what grows", left_s, until=target.process.has_ended)
    try:
        with stops.held(target.process, wishes.freeze_s) as let_go:
            survey = surveyed(target, wishes, telling, let_go, before=first)
        target.process.check()
    except TargetGone as gone:
        if first is None:
            raise
        # What was seen before the end is worth a report.
        sentence = f"What grew: {gone.fact}; this is the first look."
        first = replace(first, invisible=(*first.invisible, sentence))
        return document(target, first, None, stops, wishes, begin)
    return document(target, survey, first, stops, wishes, begin)


def document(
    target: Opened, survey: Survey, first: Survey | None, stops: Stops, wishes: Wishes, begin: float
) -> Heap:
    """Return what a survey has come to, with what is known beside it."""
    asked = {"type": wishes.type, "holders": wishes.holders}
    sentences = tuple(dict.fromkeys((*target.invisible, *survey.invisible, *_too_long(stops))))
    return Heap(
        created_at=iso(begin),
        target=target.facts,
        window=WindowPart(
            iso(begin), round(time.time() - begin, 3), None if first is None else survey.apart_s(first)
        ),
        evidence=replace(survey.evidence, invisible=sentences),
        totals=survey.totals,
        types=survey.types,
        holders=survey.holders,
        referrers=survey.referrers,
        unexplained=survey.unexplained,
        garbage=survey.garbage,
        listeners=survey.listeners,
        containers=survey.containers,
        frozen=stops.part(),
        sampled=survey.sampled,
        asked={name: text for name, text in asked.items() if text is not None},
    )


def _from_outside(target: Opened, begin: float) -> Heap:
    """Tier 0: nothing that depends on a layout which does not hold."""
    assert target.obstacle is not None
    totals = TotalsPart(resident_bytes(target.process), *(None,) * 9)
    target.process.check()
    return Heap(
        created_at=iso(begin),
        target=replace(target.facts, tier=0),
        window=WindowPart(iso(begin), round(time.time() - begin, 3), None),
        evidence=EvidencePart(None, None, None, {}, (f"The heap: {target.obstacle.fact}.",)),
        totals=totals,
    )


def _too_long(stops: Stops) -> Iterator[str]:
    part = stops.part()
    if part is not None and not part.exact:
        yield (
            f"The process was let go after {part.held_ms / 1e3:.1f} s, before all was read: the picture is "
            "not exact (--freeze-limit gives more time)."
        )
