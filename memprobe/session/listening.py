"""What a run on a live process listens to, as far as it can be had: the heap, an engine, /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from memprobe.config import Config
from memprobe.heap.looker.pace import NS, Pace
from memprobe.heap.source import HeapSource
from memprobe.session.arming import Armed
from memprobe.sources.procfs import ProcfsOptions, ProcfsSource
from memprobe.sources.py_spy import PySpySource
from memprobe.target.inspection.opening import NOT_UNDERSTOOD, Opened
from memprobe.target.inspection.py_spy import MISSING, find
from memprobe.target.proc.process import Process
from memprobe.vocab.costs import Metered
from memprobe.vocab.knobs import Sheddable
from memprobe.vocab.source import Engine, Source

if TYPE_CHECKING:
    from memprobe.blame.births import BirthSource
    from memprobe.blame.bursting import BurstSource
    from memprobe.blame.mutations import Mutations
    from memprobe.blame.source import BlameSource
    from memprobe.sources.kernel.births import Births
    from memprobe.sources.kernel.watchpoints import Watchpoints
    from memprobe.vocab.bursts import Bursts


@runtime_checkable
class Watching(Protocol):
    """An engine that can set watchpoints."""

    @property
    def watchpoints(self) -> Watchpoints:
        """On words of the processes that are followed."""
        ...


@runtime_checkable
class Tracing(Protocol):
    """An engine that can trace all that the allocator hands out."""

    @property
    def births(self) -> Births | None:
        """What makes bursts on the target; None if it is no Python."""
        ...


@runtime_checkable
class Mutating(Protocol):
    """An engine that can see in bursts what changes containers, where it cannot set watchpoints."""

    @property
    def mutators(self) -> Bursts | None:
        """What makes bursts on the target; None if it is no Python."""
        ...


class Listening:
    """The sources of a run."""

    def __init__(
        self, target: Opened, root: Process, config: Config, armed: Armed | None, *, with_keys: bool = False
    ) -> None:
        """Prepare to listen to a target; `root` is the process that it ends with."""
        self._with_keys = with_keys
        self._target, self._root, self._config, self._armed = target, root, config, armed
        self.all: list[Source] = []
        """In the order in which they are to be closed."""

        self.engine: Engine | None = None
        self.heap: HeapSource | None = None
        self.blame: BlameSource | BurstSource | None = None
        self.births: BirthSource | None = None
        self.py_spy: PySpySource | None = None
        """Where memprobe's own layouts do not hold."""

        self.tier = 0
        """The highest that was reached."""

        self.invisible: list[str] = []
        """What nobody can say."""

    @property
    def often(self) -> tuple[Source, ...]:
        """Those that are asked several times a second, in this order."""
        return _present(self.engine, self.blame, self.births, self.py_spy)

    @property
    def at_last(self) -> tuple[Source, ...]:
        """All of them, as they are asked when the run is over: the events first, and again."""
        others = (self.heap, self.blame, self.births, self.py_spy, self.procfs)
        return _present(self.engine, *others, self.engine, self.engine)

    @property
    def sheddable(self) -> list[Sheddable]:
        """Those that can do less."""
        return [source for source in self.all if isinstance(source, Sheddable)]

    @property
    def metered(self) -> list[Metered]:
        """Those that know what they cost."""
        return [source for source in self.all if isinstance(source, Metered)]

    def start(self) -> None:
        """Attach what can be attached; without an engine /proc alone is polled."""
        if self._target.python is not None:
            pace = looks_of(self._config)
            self.heap = HeapSource(self._target.process.id, pace, with_keys=self._with_keys)
            self.all.append(self.heap)
            self.heap.start()
        # After the heap: what that forks inherits no descriptor of a BPF program then.
        self.armed = self._armed or Armed(self._target.process, self._target.python, self._config)
        self.engine = self.armed.engine
        if self.engine is not None:
            if isinstance(self.engine, Watching):
                self._start_blame(self.engine)
            elif isinstance(self.engine, Mutating):
                self._start_bursts(self.engine)
            if isinstance(self.engine, Tracing):
                self._start_births(self.engine)
            self.all.append(self.engine)
        if isinstance(self._target.obstacle, NOT_UNDERSTOOD):
            self._start_py_spy()
        options = ProcfsOptions(
            tree=self._config.run.tree,
            reports_processes=self.engine is None or not self.engine.sees_processes,
            picture_interval_s=self._config.intervals.picture_s,
        )
        self.procfs = ProcfsSource(self._root, None, options)
        self.procfs.start()
        self.procfs.set_python(self._target.process.pid, self._target.python)
        self.all.append(self.procfs)
        self.tier = max(source.tier for source in self.all)

    def _start_py_spy(self) -> None:
        """Have another tool say what runs when memory grows."""
        program = find()
        if program is None:
            self.invisible.append(MISSING)
            return
        self.py_spy = PySpySource(self._target.process, program)
        self.py_spy.start()
        self.all.append(self.py_spy)

    def follow(self, target: Opened) -> None:
        """Take another process for the target."""
        if self.heap is not None:
            self.heap.set_main(target.process.id)
        self.procfs.set_python(target.process.pid, target.python)

    def _start_blame(self, engine: Watching) -> None:
        """Be ready to watch who fills what grows; it ends before the source that its programs belong to."""
        from memprobe.blame.source import BlameSource
        from memprobe.session.pricing import watch_hit_ns

        if self.heap is not None:
            self.blame = BlameSource(
                engine.watchpoints,
                self.heap.size_of,
                budget_pct=0.0,
                seed=self._config.sampling.seed,
                price=lambda: watch_hit_ns(engine, self.armed.calibrator),
                mutations=self._mutations(engine, self.heap),
            )
            self.blame.start()
            self.all.append(self.blame)

    def _start_bursts(self, engine: Mutating) -> None:
        """Be ready to see in bursts who fills what grows."""
        from memprobe.blame.bursting import BurstSource

        mutations = None if self.heap is None else self._mutations(engine, self.heap)
        if mutations is not None and self.engine is not None:
            self.blame = BurstSource(mutations, tier=self.engine.tier)
            self.blame.start()
            self.all.append(self.blame)

    def _mutations(self, engine: object, heap: HeapSource) -> Mutations | None:
        """What sees containers filled where there are no debug registers."""
        from memprobe.blame.mutations import Mutations

        mutators = engine.mutators if isinstance(engine, Mutating) else None
        seed = self._config.sampling.seed
        return None if mutators is None else Mutations(mutators, heap.size_of, seed)

    def _start_births(self, engine: Tracing) -> None:
        """Be ready to trace in bursts where objects are made that no collection explains."""
        from memprobe.blame.births import BirthSource
        from memprobe.blame.survivors import SurvivorSampling

        if engine.births is not None and self._target.python is not None:
            sampling = SurvivorSampling(
                engine.births,
                self._target.process,
                self._target.python,
                budget_pct=0.0,
                seed=self._config.sampling.seed,
            )
            self.births = BirthSource(sampling)
            self.births.start()
            self.all.append(self.births)


def _present(*sources: Source | None) -> tuple[Source, ...]:
    return tuple(source for source in sources if source is not None)


def looks_of(config: Config) -> Pace:
    """Return when heaps are looked at."""
    intervals = config.intervals
    return Pace(
        share=config.budget.heap_pct / 100,
        rest_ns=int(intervals.heap_early_s * NS),
        pause_ns=int(intervals.heap_s * NS),
    )
