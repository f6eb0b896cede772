"""The user's own word on a finding, a birth site or an extension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from memprobe.models.sketch import weight_in
from memprobe.vocab.sort import Sort

HALF_LIFE_S = 365 * 86_400.0
"""An opinion weighs half as much after so long: programs change."""


class Verdict(StrEnum):
    """What the user says of it."""

    FALSE_POSITIVE = "false-positive"
    CONFIRMED = "confirmed"


ON_FINDING, ON_SITE, ON_GROUP = 4.0, 2.5, 1.5
"""By how much it moves the log-odds: the more exactly it says what it is about, the more."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """One word of the user."""

    key: str
    """A finding's id, a site ("app/db.py:connect", or its end), or an extension (".tmp")."""

    verdict: Verdict
    reason: str = ""
    weight: float = 1.0
    """1 when it is new."""

    strength: float = 0.0
    """By how much it moves what it was asked about; set by `opinion_on`."""

    @property
    def step(self) -> float:
        """By how much it moves the log-odds."""
        return self.weight * self.strength * (1 if self.verdict is Verdict.CONFIRMED else -1)

    @property
    def sentence(self) -> str:
        """What a report says of it."""
        because = f": {self.reason}" if self.reason else ""
        return f"your word on {self.key} was {self.verdict.value}{because}"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        value = asdict(self) | {"verdict": self.verdict.value}
        del value["strength"]
        return value

    @classmethod
    def from_json(cls, value: Any) -> Opinion:
        """Undo `as_json`; raise ValueError, KeyError or TypeError for anything else."""
        return cls(
            str(value["key"]), Verdict(value["verdict"]), str(value["reason"]), weight_in(value["weight"])
        )


def opinion_on(opinions: Sequence[Opinion], finding_id: str, sort: Sort) -> Opinion | None:
    """Return the opinion that fits most exactly, of several the last; None if none does."""
    found = [
        (strength, opinion) for opinion in opinions if (strength := _fits(opinion.key, finding_id, sort))
    ]
    if not found:
        return None
    strength, opinion = max(enumerate(found), key=lambda item: (item[1][0], item[0]))[1]
    return Opinion(opinion.key, opinion.verdict, opinion.reason, opinion.weight, strength)


def faded(weight: float, elapsed_s: float) -> float:
    """Return what an opinion weighs after so long; a clock that went backwards changes nothing."""
    factor: float = 0.5 ** (max(0.0, elapsed_s) / HALF_LIFE_S)
    return weight * factor


def _fits(key: str, finding_id: str, sort: Sort) -> float:
    if key == finding_id and key:
        return ON_FINDING
    if sort.site and (sort.site == key or sort.site.endswith((f"/{key}", f":{key}"))):
        return ON_SITE
    return ON_GROUP if key.startswith(".") and key == sort.group else 0.0
