"""A run on a live process: sources into the ledger, the recording and the governor; time and the loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from memprobe.detectors.verdicts import Verdicts
from memprobe.errors import OutputNotWritable
from memprobe.experience import Experience, Remembered, remembered
from memprobe.governor import CHECK_INTERVAL_NS, Governor, Limits, LiveGovernor, knobs_of
from memprobe.ledger import Ledger
from memprobe.models.learning.normal import Normal
from memprobe.models.learning.opinion import Opinion
from memprobe.session.account import Account
from memprobe.session.arming import Armed
from memprobe.session.fate import Fate
from memprobe.session.folding import Judge, fold, run_of
from memprobe.session.gathering import Gathering
from memprobe.session.handing_on import hand_on
from memprobe.session.keeping import Keeper
from memprobe.session.known import LoadedPackages
from memprobe.session.listening import Listening
from memprobe.session.naming import program_in
from memprobe.session.options import Options
from memprobe.session.program import Program
from memprobe.session.resting import rest
from memprobe.session.sampled_keys import told_keys
from memprobe.session.states import Standing
from memprobe.session.wishing import wish
from memprobe.target.inspection.opening import Opened
from memprobe.views.history import History
from memprobe.views.report import Run
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Verdict
from memprobe.vocab.source import Settling, Source


class Session:
    """A run on a live process, or on a program that memprobe has started."""

    def __init__(
        self,
        target: Opened,
        options: Options,
        *watchers: Judge,
        program: Program | None = None,
        armed: Armed | None = None,
    ) -> None:
        """A program ends with its first process, and what its engine has told is `armed`."""
        self.target, self.options = target, options
        self._watchers = watchers
        self._program = program
        self._root = root = target.process if program is None else program.root
        self._config = config = options.config
        self.ledger = Ledger(tree=config.run.tree)
        self._known = remembered(program_in(target)) if config.run.learn else Remembered("", Normal())
        self._experience = Experience(root.pid, tree=config.run.tree, normal=self._known.normal)
        self._verdicts = Verdicts(root.pid, config, normal=self._known.normal)
        self._verdicts.main = target.process.pid
        self._sources = Listening(target, root, config, armed, with_keys=options.with_keys)
        self._keeper: Keeper | None = None
        self._gathering = Gathering()
        self._packages = LoadedPackages()
        self._fate = Fate(root, is_watched=config.record.on_oom)
        begun = armed.begun if armed else (time.time(), time.monotonic_ns())
        self._account = Account(config, self._known, begun)
        self._sample_due_ns = self._check_due_ns = 0

    # Life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Attach what can be attached; without an engine /proc alone is polled."""
        self._sources.start()
        self._account.take_engine(self._sources.armed.choice)
        self._account.invisible += self._sources.invisible
        sheddable = self._sources.sheddable
        budget = self._config.budget
        limits = Limits(budget.slowdown_pct, budget.cpu_pct)
        governor = Governor(limits, knobs_of(sheddable), self._sources.armed.calibrator.calibration)
        self._governor = LiveGovernor(governor, self._sources.metered, sheddable)
        if self.options.record is not None:
            self._keeper = Keeper(self.options.record, self._facts(), self._config.record)
        for told in self._sources.armed.take():
            self._take(told)

    def close(self) -> None:
        """Leave nothing behind, whichever source fails at that. May be called twice."""
        with ExitStack() as closing:
            closing.callback(self._packages.close)
            if self._keeper is not None:
                closing.callback(self._keeper.close)
            for source in reversed(self._sources.all):
                closing.callback(source.close)

    # The loop ---------------------------------------------------------------------------------------

    def run(self, go_on: Callable[[], bool], watch: Callable[[Session], None] | None = None) -> None:
        """Observe until `go_on` says no or the target ends; `watch` is called after every look at /proc."""
        while go_on() and self.ended is None:
            if self._tick() and watch is not None:
                watch(self)
            rest(self._sources.armed, self._root, self._config.intervals.scan_s)
        self._finish()

    def _tick(self) -> bool:
        """Poll what is due; return whether /proc was looked at."""
        now_ns = time.monotonic_ns()
        for source in self._sources.often:
            self._poll(source)
        is_near = self._fate.is_near(now_ns)
        if is_near:
            self.look_now()  # while there is something to look at
        if self._keeper is not None:
            self._keeper.keep_heap(self.target.process.id if is_near else None)
        is_hurried = self._fate.is_hurried(now_ns)
        is_due = (is_hurried or now_ns >= self._sample_due_ns) and not self.target.is_ending()
        if is_due:
            self._sample_due_ns = now_ns + int(self._config.intervals.scan_s * 1e9)
            self._take_gathered()
            self._poll_heap()
            self._poll(self._sources.procfs)
            self._packages.note(self.target, self._verdicts.verdict.findings, now_ns)
            self._follow_program()
            self._wish()
            self._note()
            self._keep()
        if now_ns >= self._check_due_ns:
            self._check_due_ns = now_ns + CHECK_INTERVAL_NS
            self._check(now_ns)
        if is_hurried and self._keeper is not None:
            self._keeper.queue.flush(0)
        if self.ended is None and self._root.has_ended():
            self._say_ended()
        return is_due

    def _follow_program(self) -> None:
        """Report on another Python of a program once the first has ended, or is another program now."""
        if self._program is not None and (target := self._program.follow()) is not None:
            if (end := self._program.take_end()) is not None:
                self._take(end)
            self.target, self._verdicts.main = target, target.process.pid
            self._sources.follow(target)
            if self._keeper is not None:
                self._keeper.note_target(self._facts())

    def _poll_heap(self) -> None:
        """Before /proc: verdicts are made of what is known when its numbers come."""
        if self._sources.heap is not None:
            self._sources.heap.follow(self._sources.procfs.targets)
            self._poll(self._sources.heap)

    def _wish(self) -> None:
        allowed_pct = self._governor.governor.allowed_pct
        grown, pid = self._verdicts.grown, self.target.process.pid
        wish(self._sources, grown, self.ledger, pid, self._config.budget, allowed_pct)

    def _finish(self) -> None:
        """Close the accounts: one more picture, and all events before it."""
        if self.ended is None:
            self._sources.procfs.request_pictures()
            for settling in (source for source in self._sources.all if isinstance(source, Settling)):
                settling.settle()
        for source in self._sources.at_last:
            self._poll(source)
            self._take_gathered()
        if self._keeper is not None:
            alive = self.target.process.id if self.ended is None else None
            self._account.invisible += self._keeper.keep_last_heap(alive)
        self._keep(is_last=True)
        self._verdicts.settle(self.ledger)
        self._packages.note(self.target, self._verdicts.verdict.findings, time.monotonic_ns())
        if self.ended is not None:
            self._say_ended()  # how it ended shows a little later than that it did
        self._check(time.monotonic_ns())
        if self._config.run.learn:
            said = hand_on(self._experience, self._known.program, self.ledger, self._verdicts)
            self._account.invisible += said
        self._note()

    def _check(self, now_ns: int) -> None:
        self._governor.governor.calibration = self._sources.armed.calibrator.calibration
        sample = self._governor.check(now_ns)
        if self._keeper is not None:
            self._keeper.write_cost(sample)

    def _poll(self, source: Source) -> None:
        batch = source.poll()
        if batch is None:
            if source is self._sources.procfs and self.ended is None:
                self._say_ended()
        elif source in self._sources.often:
            if self._gathering.add(batch):
                self._take_gathered()
        else:
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        batch = batch if self._program is None else self._program.without_end(batch)
        if self._keeper is not None:
            self._keeper.queue.write(batch)
        judges: tuple[Judge, ...] = (self._experience, self._verdicts, *self._watchers)
        if fold(self.ledger, batch, self._root.pid, *judges) and self.ended is None:
            self._say_ended()

    def _take_gathered(self) -> None:
        """Take in all that the kernel has told, before anything else is looked at."""
        for ready in self._gathering.take():
            self._take(ready)

    def _say_ended(self) -> None:
        self._account.end(self._fate, "attach" if self._program is None else "start")

    # What somebody asks for -------------------------------------------------------------------------

    def look_now(self) -> int:
        """Have everything looked at as soon as may be; return how many looks at heaps that will be."""
        self._sources.procfs.request_pictures()
        if self._sources.heap is None:
            return 0
        self._sources.heap.look_now()
        return self._sources.heap.followed

    def judge(self) -> None:
        """Judge what came since the last verdict. Not in a run that is recorded: its replay would not."""
        self._verdicts.settle(self.ledger)

    def hear(self, opinion: Opinion) -> None:
        """Take the user's word into account from the next verdict on."""
        self._known.normal.opinions += (opinion,)

    # What is known of it ----------------------------------------------------------------------------

    @property
    def ended(self) -> str | None:
        """What became of the target; None as long as it runs."""
        return self._account.ended

    @property
    def verdict(self) -> Verdict:
        """What the run has come to, as of the last judgement."""
        return self._verdicts.verdict

    def report(self) -> Run:
        """What is known of the run beside the ledger."""
        run = run_of(self._facts(), self._verdicts.verdict)
        # Which files there are is the operator's: it is said here, and not kept.
        return replace(run, invisible=(*self._config.remarks, *run.invisible))

    @property
    def recording_failure(self) -> OutputNotWritable | None:
        """Why the recording of this run is not whole; None if it is, or if there is none."""
        return None if self._keeper is None else self._keeper.failure

    def _facts(self) -> dict[str, Any]:
        return self._account.facts(
            self.target,
            self._root.pid,
            tier=self._sources.tier,
            packages=self._packages.versions,
            fate=self._fate,
            governor=self._governor.governor,
            failure=self.recording_failure,
            keys=self._keys(),
        )

    def _keys(self) -> list[dict[str, Any]] | None:
        """Sampled keys of what grows; None if they are not asked for."""
        heap = self._sources.heap
        if heap is None or not self.options.with_keys:
            return None
        return told_keys(heap.keys, self.ledger, self._config)

    def _note(self) -> None:
        """Keep in the recording what only the session knows; it must report even if killed now."""
        if self._keeper is not None:
            self._keeper.note(self._facts(), self.ledger)

    def _keep(self, *, is_last: bool = False) -> None:
        """Keep in the recording what the batches have come to, so that its report need not fold them."""
        if self._keeper is not None:
            history = next((one for one in self._watchers if isinstance(one, History)), None)
            standing = Standing(self.ledger, self._experience, self._verdicts, history)
            self._keeper.keep(standing, is_last=is_last)
