"""A few of the moments at which a writer may end; tests/soak/soak_recording.py tries hundreds."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from recording.surviving import filled_up, killed_at, small_disk


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_some_moment(tmp_path: Path, seed: int) -> None:
    killed_at(tmp_path / "run.mprobe", random.Random(seed))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    with small_disk(tmp_path, 2 << 20) as folder:
        for seed in range(2):
            filled_up(folder / "run.mprobe", random.Random(seed))
