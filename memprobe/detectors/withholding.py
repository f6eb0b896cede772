"""What somebody does not want to be told: findings that are protected, or of a kind that is off.

They are found, merged and judged as all others are, and taken out at the very end, by what the finding says:
so nothing that is withheld comes back as a finding of another kind, and what is withheld can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from memprobe.config import Aspect, Config, Protection
from memprobe.detectors.evidence import Grown
from memprobe.detectors.merging import keyless
from memprobe.ledger import Ledger
from memprobe.vocab.finding import Finding, Kind, Withheld
from memprobe.vocab.subject import What

DELETED = " (deleted)"
"""What the kernel puts behind the path of a file without a name."""

_KIND_OF = {Aspect.PATH: Kind.HANDLES, Aspect.PEER: Kind.SOCKETS}


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a finding is withheld."""

    by: str
    reason: str


def ground(found: Finding, piles: Sequence[Grown], ledger: Ledger, config: Config) -> Ground | None:
    """Return why a finding that rests on these is withheld; None if it is not."""
    if config.report.show_protected:
        return None
    if not config.kinds.allows(found.kind):
        return Ground(f"kind {found.kind}", "it is off")
    protected = (one for one in config.protect if _is_meant(one, found, piles, ledger))
    first = next(protected, None)
    return None if first is None else Ground(str(first), first.reason)


def is_protected(holder: str, config: Config) -> bool:
    """Tell whether nothing is to be said of what a holder has."""
    holders = (one for one in config.protect if one.aspect is Aspect.HOLDER)
    return not config.report.show_protected and any(_is_holder(one, holder) for one in holders)


def veiled(found: Finding, why: Ground) -> Finding:
    """Return a withheld finding that says nothing of what it is about."""
    return replace(found, title=f"what is withheld ({why.by})")


def counted(withheld: Iterable[tuple[Finding, Ground]], confident: float) -> tuple[Withheld, ...]:
    """Return how many findings and suspects are withheld for each reason."""
    counts: dict[Ground, list[int]] = {}
    for found, why in withheld:
        counts.setdefault(why, [0, 0])[found.confidence < confident] += 1
    return tuple(Withheld(why.by, why.reason, *both) for why, both in counts.items())


def _is_meant(one: Protection, found: Finding, piles: Sequence[Grown], ledger: Ledger) -> bool:
    if one.aspect is Aspect.TYPE:
        return bool(found.type) and one.matches(found.type)
    if one.aspect is Aspect.HOLDER:
        return _is_holder(one, found.holder)
    if found.kind is not _KIND_OF[one.aspect]:
        return False
    handles = [grown for grown in piles if grown.subject.what is What.HANDLES]
    return bool(handles) and all(_all_match(one, ledger, grown) for grown in handles)


def _is_holder(one: Protection, holder: str) -> bool:
    return bool(holder) and replace(one, pattern=keyless(one.pattern)).matches(keyless(holder))


def _all_match(one: Protection, ledger: Ledger, grown: Grown) -> bool:
    """Tell whether everything that these descriptors point to is meant, as far as that is known."""
    texts = ledger.handle_texts(grown.pid, grown.subject_id)
    named = _peer if one.aspect is Aspect.PEER else _path
    return bool(texts) and all(one.matches(text) or one.matches(named(text)) for text in texts)


def _path(text: str) -> str:
    return text.removesuffix(DELETED)


def _peer(text: str) -> str:
    """Return "10.0.0.9:80" of "tcp 10.0.0.2:40112 -> 10.0.0.9:80", and "/run/x" of "unix /run/x"."""
    _, arrow, peer = text.rpartition("-> ")
    return peer if arrow else text.partition(" ")[2]
