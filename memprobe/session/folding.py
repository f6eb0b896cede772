"""What a run and its replay have in common: the one way into the ledger, and what is known of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from memprobe.abi import ProcessHow
from memprobe.ledger import Ledger
from memprobe.ledger.ledger import News
from memprobe.session.known import advised, remarks
from memprobe.session.sampled_keys import recorded_keys
from memprobe.views.report import Run
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Verdict
from memprobe.vocab.rows import Rows


class Judge(Protocol):
    """What goes by the ledger, batch by batch."""

    def fold(self, ledger: Ledger, news: News, samples: Rows) -> None:
        """Take in what a batch brought, after the ledger has."""
        ...


def fold(ledger: Ledger, batch: Batch, pid: int, *judges: Judge) -> bool:
    """Take a batch in, and judge what is known then; return whether the target has ended in it.

    The end of the target itself is not folded: its report is about what was open when it ended.
    """
    ends = (batch.processes["how"] == ProcessHow.EXIT) & (batch.processes["pid"] == pid)
    news = ledger.fold(replace(batch, processes=batch.processes[~ends]) if ends.any() else batch)
    for judge in judges:
        judge.fold(ledger, news, batch.samples)
    return bool(ends.any())


def run_of(facts: dict[str, Any], verdict: Verdict) -> Run:
    """Return what is known of a run beside its batches."""
    return Run(
        pid=int(facts["pid"]),
        target=dict(facts["target"]),
        created_at=str(facts["created_at"]),
        tier=int(facts["tier"]),
        engine=dict(facts.get("engine") or {}),
        tree=bool(facts["tree"]),
        ended=facts["ended"],
        overhead=dict(facts["overhead"]),
        invisible=tuple(map(str, (*facts["invisible"], *facts.get("shed", ()), *remarks()))),
        verdict=advised(verdict, facts),
        keys=recorded_keys(facts),
    )
