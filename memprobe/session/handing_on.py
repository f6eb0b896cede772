"""What a run leaves for later ones: where everything stood that grew, and what was found."""

from __future__ import annotations

from memprobe.detectors.evidence import Grown
from memprobe.detectors.verdicts import Verdicts
from memprobe.experience import Experience, Stand
from memprobe.ledger import Ledger
from memprobe.vocab.sort import Sort


def hand_on(experience: Experience, program: str, ledger: Ledger, verdicts: Verdicts) -> tuple[str, ...]:
    """Remember for later runs of a program what this one has seen; return what went wrong, as sentences."""
    stands = [_stand(one) for one in verdicts.grown]
    return experience.hand_on(program, ledger, stands, verdicts.verdict.findings)


def _stand(one: Grown) -> Stand:
    growth = one.growth
    return Stand(one.subject.what, Sort.of(one.subject), one.count, growth.shape, growth.probability)
