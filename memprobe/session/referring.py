"""A run on a few objects that native code holds: who takes references and keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from memprobe.blame.references import Counted, References
from memprobe.errors import TargetGone
from memprobe.ledger.cancelling import left_over
from memprobe.session.oversight import Oversight, traced
from memprobe.sources.kernel import KernelSource
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.opening import Opened
from memprobe.views.references_report import Held, Referred, Taker
from memprobe.vocab import Frame, Stack
from memprobe.vocab.stack import python_frames

TICK_S = 0.02


class Referring:
    """A run on one process."""

    def __init__(
        self, target: Opened, kernel: KernelSource, references: References, oversight: Oversight
    ) -> None:
        self._target, self._kernel, self._references = target, kernel, references
        self._oversight = oversight
        self._stacks: dict[int, Stack] = {}

    def run(self, go_on: Callable[[], bool]) -> None:
        """Watch until `go_on` says no or the target ends."""
        while go_on() and self._oversight.ended is None:
            self._tick()
            time.sleep(TICK_S)

    def _tick(self) -> None:
        self._oversight.check()
        self._references.afford(self._oversight.allowed_pct)
        with suppress(TargetGone):  # the next check says so
            self._references.step()
        batch = self._kernel.poll()
        self._stacks |= {} if batch is None else batch.stacks

    def report(self) -> Referred:
        """What is known so far."""
        oversight = self._oversight
        return Referred(
            created_at=iso(oversight.begin_s),
            target=asdict(self._target.facts) | {"tier": self._kernel.tier, "ended": oversight.ended},
            duration_s=oversight.elapsed_s,
            overhead=oversight.overhead,
            objects=tuple(self._held(one) for one in self._references.objects),
        )

    def _held(self, one: Counted) -> Held:
        counts, natives = self._by_frames(one), self._natives(one)
        left = left_over(list(counts.items()), by_line=True)
        takers = [
            Taker((*natives.get(path, ()), *path), *amounts, amount)
            for (path, amounts), amount in zip(counts.items(), left, strict=True)
        ]
        takers.sort(key=lambda taker: -taker.kept)
        return Held(one.type, one.address, one.unexplained, one.watched_ns / 1e9, tuple(takers))

    def _natives(self, one: Counted) -> dict[tuple[Frame, ...], tuple[Frame, ...]]:
        """The native function that takes most references, by the frames that call it."""
        found: dict[tuple[Frame, ...], tuple[Frame, ...]] = {}
        for number, _ in reversed(one.taken.most_common()):
            stack = self._stacks.get(number)
            if stack is not None and python_frames(stack.frames) != stack.frames:
                found[stack.frames[1:]] = stack.frames[:1]
        return found

    def _by_frames(self, one: Counted) -> dict[tuple[Frame, ...], tuple[int, int]]:
        """What was taken and returned by lines: stacks may differ in instructions of one line."""
        counts: dict[tuple[Frame, ...], tuple[int, int]] = {}
        for number in one.taken.keys() | one.returned.keys():
            stack = self._stacks.get(number)
            path = () if stack is None else python_frames(stack.frames)
            taken, returned = counts.get(path, (0, 0))
            counts[path] = (taken + one.taken[number], returned + one.returned[number])
        return counts


@contextmanager
def referring(pid: int, found: dict[str, Any], max_overhead_pct: float, seed: int) -> Iterator[Referring]:
    """Watch the objects that heap.unexplained has found, until the block ends."""
    with traced(pid) as (target, python, kernel):
        objects = [Counted(*row) for row in found["found"]]
        oversight = Oversight(target.process, kernel, max_overhead_pct)
        references = References(
            kernel.watchpoints,
            python.objects.memory,
            pid,
            objects,
            offsets=tuple(found["offsets"]),
            budget_pct=oversight.allowed_pct,
            seed=seed,
        )
        yield Referring(target, kernel, references, oversight)
