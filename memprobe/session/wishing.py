"""What a run wants to know more of: who fills what grows, and where what piles up is born."""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.blame.choosing import Candidate, chosen
from memprobe.config.settings import Budget
from memprobe.detectors.evidence import Grown
from memprobe.ledger import Ledger
from memprobe.session.listening import Listening
from memprobe.session.tracing import births_wanted
from memprobe.vocab.subject import What


def wish(
    sources: Listening, grown: Sequence[Grown], ledger: Ledger, pid: int, budget: Budget, allowed_pct: float
) -> None:
    """Have those watched that grow, and of which it is not known yet who fills them or makes them."""
    if sources.blame is not None:
        candidates = [
            Candidate(one.key, one.growth.probability, one.growth.per_s, one.bytes_per_s)
            for one in grown
            if one.subject.what is What.CONTAINER
        ]
        sources.blame.wish(chosen(candidates, ledger))
        sources.blame.afford(budget.blame_pct / 100 * allowed_pct)
    if sources.births is not None:
        sources.births.wish(births_wanted(grown, pid))
        sources.births.afford(budget.bursts_pct / 100 * allowed_pct)
