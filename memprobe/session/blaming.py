"""A run on a few containers: who fills them. Kernel and blame into a ledger, and the governor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from memprobe.blame.containers import Asked, Containers
from memprobe.blame.mutations import Mutations
from memprobe.blame.source import BlameSource
from memprobe.config import DEFAULTS
from memprobe.errors import NoKernelSupport
from memprobe.governor import Calibrator
from memprobe.ledger import Ledger
from memprobe.session.folding import fold
from memprobe.session.oversight import Oversight, traced
from memprobe.session.pricing import watch_hit_ns
from memprobe.sources.kernel import KernelSource
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.opening import Opened
from memprobe.target.memory.live import LiveMemory
from memprobe.target.memory.patient import LIMIT_S, PatientMemory
from memprobe.views.blame_report import Blamed
from memprobe.vocab.source import Source

TICK_S = 0.1

BLAME_SHARE = 0.8
"""Of what the target may lose: the rest is for slower context switches, and for bursts."""


@dataclass(frozen=True, slots=True)
class BlameOptions:
    """What may be chosen about such a run."""

    max_overhead_pct: float = DEFAULTS.budget.slowdown_pct
    seed: int = DEFAULTS.sampling.seed


class Blaming:
    """A run that watches some containers of one process."""

    def __init__(
        self, target: Opened, containers: Containers, kernel: KernelSource, options: BlameOptions
    ) -> None:
        self.ledger = Ledger(tree=False)
        self._target = target
        self._containers = containers
        self._kernel = kernel
        mutators = kernel.mutators
        size_of = containers.size_of
        self._blame = BlameSource(
            kernel.watchpoints,
            size_of,
            budget_pct=0.0,
            seed=options.seed,
            price=self._measured_hit_ns,
            mutations=None if mutators is None else Mutations(mutators, size_of, options.seed),
        )
        self._oversight = Oversight(target.process, kernel, options.max_overhead_pct, [self._blame])

    def run(self, go_on: Callable[[], bool], watch: Callable[[Blaming], None] | None = None) -> None:
        """Watch until `go_on` says no or the target ends; raise NoKernelSupport if nothing could be seen."""
        self._blame.start()
        self._blame.wish([one.key for one in self._containers.asked])
        while go_on() and self._oversight.ended is None:
            self._tick()
            if watch is not None:
                watch(self)
            self._kernel.wait(TICK_S)  # not so long if what stays armed comes upon a storm
        if self._oversight.ended is None:
            self._blame.settle()
        for source in (self._blame, self._kernel):
            self._poll(source)
        self._complain()

    def close(self) -> None:
        """Take the watchpoints away. May be called twice."""
        self._blame.close()

    def report(self) -> Blamed:
        """What is known so far."""
        told = [sentence for sentences in self.ledger.invisible.values() for sentence in sentences]
        return Blamed(
            created_at=iso(self._oversight.begin_s),
            target=asdict(self._target.facts) | {"tier": self._kernel.tier, "ended": self._oversight.ended},
            overhead=self._oversight.overhead,
            invisible=tuple(dict.fromkeys((*told, *self._oversight.invisible))),
            containers=tuple((one.subject, one.address, self.ledger.filled(one.key)) for one in self._asked),
        )

    @property
    def _asked(self) -> tuple[Asked, ...]:
        return self._containers.asked

    def _tick(self) -> None:
        self._poll(self._kernel)
        self._poll(self._blame)
        self._oversight.check()
        self._blame.afford(BLAME_SHARE * self._oversight.allowed_pct)

    def _measured_hit_ns(self) -> float:
        calibrator = Calibrator()
        cost_ns = watch_hit_ns(self._kernel, calibrator)
        self._oversight.learn(calibrator.calibration)
        return cost_ns

    def _poll(self, source: Source) -> None:
        batch = source.poll()
        if batch is not None:
            fold(self.ledger, batch, self._target.process.pid)

    def _complain(self) -> None:
        """Say why, if nothing at all could be watched."""
        reasons = self.ledger.invisible.get(self._blame.name, ())
        if reasons and self.ledger.insertions.is_empty:
            raise NoKernelSupport(reasons[0].rstrip("."))


@contextmanager
def blaming(pid: int, found: dict[str, Any], options: BlameOptions) -> Iterator[Blaming]:
    """Watch containers that `heap.seeking` has found, until the block ends."""
    with ExitStack() as held:
        target, _, kernel = held.enter_context(traced(pid))
        memory = LiveMemory(target.process.id, target.process.pidfd)
        patient = PatientMemory(memory)
        held.callback(patient.close)
        patient.limit_s = LIMIT_S
        run = Blaming(target, Containers(patient, pid, found), kernel, options)
        held.callback(run.close)
        yield run
