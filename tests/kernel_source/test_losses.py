"""What was lost is told by name, once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from memprobe.native.bpf import BpfObject
from memprobe.sources.kernel import KernelOptions
from memprobe.sources.kernel.counters import Losses
from memprobe.sources.kernel.programs import Programs


class NothingLost:
    """Maps of a kernel that has lost nothing."""

    def drain_map(self, name: str, keys: Any, values: Any) -> int:
        return 0


def test_what_memprobe_itself_could_not_use_is_told_once() -> None:
    losses = Losses(cast("BpfObject", NothingLost()))
    assert losses.take(record_unreadable=0, code_gone=0) == {}
    assert losses.take(record_unreadable=2, code_gone=0) == {"record_unreadable": 2}
    assert losses.take(record_unreadable=5, code_gone=1) == {"record_unreadable": 3, "code_gone": 1}
    assert losses.take(record_unreadable=5, code_gone=1) == {}


def test_runs_that_the_kernel_skipped_are_losses_of_all_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"born": (100, 50_000, 3), "memory_moved": (10, 900, 0), "forked": (1, 80, 4)}
    programs = Programs(KernelOptions())
    monkeypatch.setattr(programs, "run_counts", lambda: counts)
    losses = Losses(cast("BpfObject", NothingLost()))
    assert losses.take(program_skipped=programs.skipped) == {"program_skipped": 7}
    assert losses.take(program_skipped=programs.skipped) == {}
