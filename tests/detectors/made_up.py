"""Evidence that nobody measured: subjects with a course, and suspects that rest on them."""

from __future__ import annotations

from typing import Any

from memprobe.detectors.evidence import Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.models.growth import Growth, Shape
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Subject, What

SITE = (Frame("recv", "/usr/lib/python3.11/socket.py", 7), Frame("serve", "/srv/app.py", 31))
SECOND = 1_000_000_000


def growth(per_s: float = 10.0, probability: float = 0.9) -> Growth:
    return Growth(
        Shape.STEADY,
        per_s,
        per_s,
        per_s,
        6.0,
        probability,
        per_s * 60,
        60,
        60.0,
        f"grows by {per_s:g} a second",
    )


def grown(subject_id: int = 1, *, pid: int = 7, chain: tuple[str, ...] = (), **values: Any) -> Grown:
    given: dict[str, Any] = {"count": 600, "added": 600, "bytes": None, "bytes_per_s": None, "oldest_s": None}
    subject = Subject(What.CONTAINER, chain=chain)
    return Grown(pid, subject_id, subject, growth=values.pop("growth", growth()), **(given | values))


def suspect(kind: Kind = Kind.CACHES, *rests_on: Grown, **values: Any) -> Suspect:
    given: dict[str, Any] = {
        "confidence": 0.8,
        "title": f"{kind} pile up",
        "type": "app.Session",
        "holder": "",
        "site": (),
        "evidence": (),
        "fix": Cause.CACHE_WITHOUT_LIMIT,
    }
    return Suspect(kind, rests_on, **(given | values))
