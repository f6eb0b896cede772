"""A recording folded as its run was: the same ledger, the same findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from memprobe.detectors.verdicts import Verdicts
from memprobe.errors import UnreadableRecording
from memprobe.experience import Experience, recorded_normal
from memprobe.governor import Governor, governor_of
from memprobe.ledger import Ledger
from memprobe.models.learning.normal import Normal
from memprobe.recording.reader import RecordingReader
from memprobe.session.folding import Judge, fold, run_of
from memprobe.views.report import Run
from memprobe.vocab.finding import USD_PER_GB_HOUR, Verdict


def replayed(path: Path, usd_per_gb_hour: float | None = None, *watchers: Judge) -> tuple[Ledger, Run]:
    """Fold a recording; the same as its run came to, at its price of memory or at another.

    `watchers` see every batch after the verdicts have.
    """
    with RecordingReader(path) as reader:
        run = _run_of(reader, path)
        ledger = Ledger(tree=run.tree)
        price = _price(reader.facts) if usd_per_gb_hour is None else usd_per_gb_hour
        normal = _normal(reader, path)
        experience = Experience(run.pid, tree=run.tree, normal=normal)
        verdicts = Verdicts(run.pid, tree=run.tree, normal=normal, usd_per_gb_hour=price)
        while (batch := reader.poll()) is not None:
            fold(ledger, batch, run.pid, experience, verdicts, *watchers)
        verdicts.settle(ledger)
    return ledger, replace(run, verdict=verdicts.verdict)


def governed(reader: RecordingReader) -> Governor | None:
    """Have the governor of a recorded run decide again, by the same samples; None of an older recording."""
    if "governor" not in reader.facts:
        return None
    governor = governor_of(reader.facts["governor"])
    for sample in reader.costs():
        governor.fold(sample)
    return governor


def _run_of(reader: RecordingReader, path: Path) -> Run:
    try:
        facts, governor = reader.facts, governed(reader)
        if governor is not None:
            facts = facts | {"overhead": governor.overhead, "shed": governor.invisible}
        return run_of(facts, Verdict())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecording(f"{path}: the facts of the run are damaged ({error!r})") from error


def _price(facts: dict[str, Any]) -> float:
    price = facts.get("usd_per_gb_hour")
    return float(price) if isinstance(price, int | float) else USD_PER_GB_HOUR


def _normal(reader: RecordingReader, path: Path) -> Normal:
    try:
        return recorded_normal(reader.facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecording(f"{path}: what the run had learned is damaged ({error!r})") from error
