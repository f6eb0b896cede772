"""What the hit of a watchpoint costs on this machine."""

from __future__ import annotations

from memprobe.blame.turns import HIT_NS, PROGRAM_NS
from memprobe.governor import Calibrator
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel import KernelSource


def watch_hit_ns(kernel: KernelSource, calibrator: Calibrator) -> float:
    """Measure it on a word of memprobe's own, some 30 ms long; what is assumed where that is not possible."""
    own = kernel.own_word
    try:
        return calibrator.watch_hit_ns(own.write, own.watched(), PROGRAM_NS)
    except BpfError:  # the registers of this very thread are taken
        return HIT_NS
