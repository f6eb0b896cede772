"""How sure a verdict can be of a process that is seen from outside alone, and why no surer.

Numbers of /proc tell that something piles up. Who holds it and which line makes it is not among them, so
whether the program will yet let go of it stays open, however long it has grown.
"""

from __future__ import annotations

from memprobe.detectors.evidence import Evidence
from memprobe.detectors.memory_rates import OBJECTS
from memprobe.detectors.merging import Leak
from memprobe.vocab.subject import What

MOST = 0.75
"""No verdict is surer than this: three in four."""

WHY = (
    "Only /proc was seen of the process: who holds what piles up and which line makes it is not known, so no "
    f"verdict is surer than {MOST}."
)


def is_outside(evidence: Evidence, pid: int) -> bool:
    """Tell whether nobody has looked into the heap of a process."""
    return not any(one.pid == pid and one.subject.type == OBJECTS for one in evidence.of(What.MEMORY))


def is_from_outside(leak: Leak, evidence: Evidence) -> bool:
    """Tell whether all that is known of a leak is numbers of processes that were not looked into."""
    is_placed = any(one.site or one.holder for one in leak.suspects)
    return not is_placed and all(is_outside(evidence, grown.pid) for grown in leak.grown)
