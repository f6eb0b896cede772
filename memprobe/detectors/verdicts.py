"""The state of one run: from the numbers of its subjects to its findings.

Verdicts are made when the target was sampled, in the first half minute at every sample, and at the time
of the sample: a replay has the same samples, so it comes to the same findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from memprobe.config import DEFAULTS, Config
from memprobe.detectors import DETECTORS
from memprobe.detectors.confidence import calibrated
from memprobe.detectors.courses import Courses
from memprobe.detectors.evidence import Detector, Evidence, Grown
from memprobe.detectors.lending import lent
from memprobe.detectors.memory_words import memory_word
from memprobe.detectors.merging import Leak, identity, merge
from memprobe.detectors.outside import MOST, WHY, is_from_outside
from memprobe.detectors.ranking import ranked
from memprobe.detectors.taken_back import outlived, taken_back, with_reason
from memprobe.detectors.withholding import Ground, counted, ground, veiled
from memprobe.detectors.wording import finding
from memprobe.ledger import Ledger
from memprobe.ledger.ledger import News
from memprobe.ledger.populations import Key
from memprobe.models.learning.normal import Normal, Weighed
from memprobe.vocab.digest import short_digest
from memprobe.vocab.finding import Finding, Verdict
from memprobe.vocab.rows import Rows
from memprobe.vocab.sort import Sort

REMEMBERED = 4096
"""So many findings of a run keep their ids; more than that is a target that makes them up."""


SELDOM, SOON_NS = 30, 10_000_000_000
"""It is judged anew when the run is longer by one part in this many, or 10 s: a verdict takes 10 to 30 ms."""


@dataclass(slots=True)
class _Shown:
    """A finding as it was first noticed."""

    id: str
    after_s: float
    is_sure: bool = False
    last: Finding | None = None
    """As it was last told while it was sure."""

    keys: tuple[Key, ...] = ()
    """What it rested on then, the worst first: the same thing in one process or in several."""

    back_s: float | None = None
    """When it was sure no more."""


class Verdicts:
    """What has been found so far."""

    def __init__(
        self,
        pid: int,
        config: Config = DEFAULTS,
        *,
        detectors: Sequence[Detector] = DETECTORS,
        normal: Normal | None = None,
        apart_ns: int = 0,
    ) -> None:
        """Verdicts are at least so far `apart`, where nobody waits for them."""
        self.verdict = Verdict()
        """As of the last sample of the target."""

        self.grown: tuple[Grown, ...] = ()
        """What it rests on: the course of every subject."""

        self.main = pid
        """The process whose memory the word is about."""

        self._pid, self._config, self._detectors = pid, config, tuple(detectors)
        self._normal = normal or Normal()
        self._courses = Courses(pid)
        self._shown: dict[str, _Shown] = {}
        self._of_subject: dict[Key, _Shown] = {}
        self._grounds: dict[str, Ground | None] = {}
        """Why findings were withheld when that was last asked."""

        self._apart_ns = apart_ns
        self._now_ns = self._judged_ns = 0

    @property
    def config(self) -> Config:
        """The settings by which it is judged."""
        return self._config

    def fold(self, ledger: Ledger, news: News, samples: Rows) -> None:
        """Take in what a batch brought, after the ledger has; with a sample of the target, judge."""
        self._courses.add(news.populations, ledger)
        if not len(samples):
            return
        times_ns = samples["time_ns"][samples["pid"] == self._pid]
        if len(times_ns):
            self._now_ns = int(times_ns.max())
            watched_ns = self._now_ns - (ledger.begin_ns or 0)
            apart_ns = max(min(watched_ns // SELDOM, SOON_NS), self._apart_ns)
            if self._now_ns - self._judged_ns >= apart_ns:
                self._judge(ledger)

    def settle(self, ledger: Ledger) -> None:
        """Judge what came since the last verdict: at the end of a run, or of its recording."""
        if self._now_ns > self._judged_ns:
            self._judge(ledger)

    def _judge(self, ledger: Ledger) -> None:
        self._judged_ns = self._now_ns
        evidence = self._evidence(ledger, self._now_ns)
        self.grown = evidence.grown
        suspects = [
            suspect
            for detector in self._detectors
            for suspect in detector.suspects(evidence)
            if suspect.confidence >= self._config.thresholds.shown
        ]
        self._forget_subjects(ledger)
        taken: set[str] = set()
        findings = [(self._finding(leak, evidence, taken), leak.piles) for leak in merge(suspects)]
        findings += self._taken_back(evidence, taken)
        findings += self._outlived(ledger, taken)
        self.verdict = self._told(findings, evidence)

    def _told(self, findings: Iterable[tuple[Finding, Sequence[Grown]]], evidence: Evidence) -> Verdict:
        """Return what is said of findings and what they rest on: in order, without those to be withheld."""
        told: list[Finding] = []
        withheld: list[tuple[Finding, Ground]] = []
        for found, piles in findings:
            why = ground(found, piles, evidence.ledger, self._config)
            if piles:
                self._grounds[found.id] = why
            elif found.id in self._grounds:  # its process has ended: of what it was cannot be asked any more
                why = self._grounds[found.id]
            if why is None:
                told.append(found)
            else:
                withheld.append((veiled(found, why), why))
        self._forget_grounds()
        confident = self._config.thresholds.confident
        memory = memory_word(evidence, (*told, *(found for found, _ in withheld)))
        return Verdict(tuple(ranked(told, confident)), *memory, counted(withheld, confident))

    def _finding(self, leak: Leak, evidence: Evidence, taken: set[str]) -> Finding:
        shown = self._notice(leak, evidence.duration_s, taken)
        is_outside = is_from_outside(leak, evidence)
        weighed = self._weighed(leak, shown.id, MOST if is_outside else 1.0)
        if not shown.is_sure and weighed.confidence >= self._config.thresholds.confident:
            shown.is_sure, shown.after_s = True, evidence.duration_s
        found = finding(leak, evidence, shown.id, shown.after_s, self._config.report.usd_per_gb_hour)
        said = (*found.evidence, *weighed.evidence)
        limits = (*found.limits, WHY) if is_outside else found.limits
        found = replace(found, confidence=weighed.confidence, evidence=said, limits=limits)
        if leak.piles and weighed.confidence >= self._config.thresholds.confident:
            shown.last, shown.keys, shown.back_s = found, tuple(one.key for one in leak.piles), None
        elif leak.piles and shown.is_sure:
            return with_reason(found, leak.piles[0], _since(shown, evidence.duration_s))
        return found

    def _taken_back(self, evidence: Evidence, taken: set[str]) -> Iterator[tuple[Finding, tuple[Grown, ...]]]:
        """Yield what was sure once and is not even a suspect now, as long as its subject is there."""
        now = {grown.key: grown for grown in evidence.grown}
        for shown in self._shown.values():
            if shown.last is None or shown.keys[0] not in now or shown.id in taken:
                continue
            if self._of_subject.get(shown.keys[0]) is shown:  # else it is part of another finding
                taken.add(shown.id)
                one = now[shown.keys[0]]
                yield taken_back(shown.last, one, _since(shown, evidence.duration_s)), (one,)

    def _outlived(self, ledger: Ledger, taken: set[str]) -> Iterator[tuple[Finding, tuple[Grown, ...]]]:
        """Yield what was sure in processes that have ended, unless the same is found in another one."""
        for shown in self._shown.values():
            if shown.last is None or shown.id in taken or shown.back_s is not None:
                continue
            is_part = self._of_subject.get(shown.keys[0]) is not shown  # of another finding
            if not is_part and all(_is_over(key, ledger) for key in shown.keys):
                taken.add(shown.id)
                yield outlived(shown.last, [pid for pid, _ in shown.keys]), ()

    def _forget_subjects(self, ledger: Ledger) -> None:
        """Forget of which findings those subjects are part that are gone, unless with their processes."""
        have_ended = len(self._of_subject) < REMEMBERED
        self._of_subject = {
            key: one
            for key, one in self._of_subject.items()
            if key in ledger.populations or (have_ended and _is_over(key, ledger))
        }

    def _forget_grounds(self) -> None:
        """Keep the grounds of what can be told of again: suspects come and go for as long as a run lasts."""
        if len(self._grounds) > 2 * REMEMBERED:
            known = {one.id for one in self._shown.values()}
            self._grounds = {number: why for number, why in self._grounds.items() if number in known}

    def _weighed(self, leak: Leak, finding_id: str, most: float) -> Weighed:
        """Return how sure a leak is after all experience with such things; before that `most` at most."""
        sure = min(most, calibrated(max(one.confidence for one in leak.same)))
        if not leak.piles:
            return Weighed(sure)
        pile = leak.piles[0]
        return self._normal.weighed(sure, Sort.of(pile.subject), finding_id, count=pile.count)

    def _evidence(self, ledger: Ledger, now_ns: int) -> Evidence:
        pid = None if self._config.run.tree else self._pid
        return Evidence(
            ledger=ledger,
            pid=pid,
            begin_ns=now_ns if ledger.begin_ns is None else min(ledger.begin_ns, now_ns),
            now_ns=now_ns,
            grown=tuple(lent(tuple(self._courses.grown(ledger, pid)))),
            memory=ledger.memory_account(self.main),
            thresholds=self._config.thresholds,
            normal=self._normal,
        )

    def _notice(self, leak: Leak, after_s: float, taken: set[str]) -> _Shown:
        """Return under which id a leak goes: that of when it first was sure, whatever it looks like now."""
        number = finding_id(leak)
        known = [self._of_subject[grown.key] for grown in leak.grown if grown.key in self._of_subject]
        earlier = (
            one for one in (*known, self._shown.get(number)) if one is not None and one.id not in taken
        )
        shown = min(earlier, key=lambda one: (not one.is_sure, one.after_s, one.id), default=None)
        if shown is None:
            shown = _Shown(number, after_s)
        if not shown.is_sure:
            shown.id = _free(number, taken)
        taken.add(shown.id)
        self._remember(shown, leak)
        return shown

    def _remember(self, shown: _Shown, leak: Leak) -> None:
        if len(self._shown) < REMEMBERED:
            self._shown[shown.id] = shown
        self._of_subject |= {grown.key: shown for grown in leak.grown}


def _is_over(key: Key, ledger: Ledger) -> bool:
    """Tell whether a subject is gone because its process has ended."""
    return key not in ledger.populations and ledger.handles.has_ended(key[0])


def _since(shown: _Shown, after_s: float) -> float:
    """Return when a finding was taken back: now, unless it was before."""
    if shown.back_s is None:
        shown.back_s = after_s
    return shown.back_s


def _free(number: str, taken: set[str]) -> str:
    """Return an id that no other finding of this tick has: one may have kept what would now be another's."""
    ids = chain((number,), (f"{number}-{place}" for place in count(2)))
    return next(one for one in ids if one not in taken)


def finding_id(leak: Leak) -> str:
    """Return the id of a leak: short enough to type, the same from run to run."""
    return f"{leak.lead.kind}-{short_digest(identity(leak.lead))}"
