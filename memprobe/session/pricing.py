"""What the hit of a watchpoint costs on this machine."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from memprobe.blame.turns import HIT_NS, PROGRAM_NS
from memprobe.governor import Calibrator
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.own_word import OwnWord


@runtime_checkable
class Priced(Protocol):
    """An engine whose watchpoints can be tried on a word of memprobe's own."""

    @property
    def own_word(self) -> OwnWord:
        """The word."""
        ...


def watch_hit_ns(engine: object, calibrator: Calibrator) -> float:
    """Measure it on a word of memprobe's own, some 30 ms long; what is assumed where that is not possible."""
    if not isinstance(engine, Priced):
        return HIT_NS
    own = engine.own_word
    try:
        return calibrator.watch_hit_ns(own.write, own.watched(), PROGRAM_NS)
    except BpfError:  # the registers of this very thread are taken
        return HIT_NS
