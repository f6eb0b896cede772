"""Address spaces over time."""

from __future__ import annotations

import numpy as np

from memprobe.ledger.regions import Regions
from memprobe.vocab.rows import REGION, Rows


def picture(pid: int, used: dict[int, int]) -> Rows:
    rows = np.zeros(len(used), REGION)
    rows["pid"], rows["start"], rows["used_bytes"] = pid, list(used), list(used.values())
    return rows


def test_growth_is_that_since_the_first_look_and_a_new_region_has_grown_by_all() -> None:
    regions = Regions()
    assert regions.newest(1) is None
    assert regions.grown_bytes(1) == []
    regions.fold(np.concatenate([picture(1, {0x1000: 10, 0x2000: 20, 0x3000: 30}), picture(2, {0x1000: 5})]))
    regions.fold(picture(1, {0x1000: 15, 0x3000: 10, 0x4000: 7}))
    newest = regions.newest(1)
    assert newest is not None
    assert newest["start"].tolist() == [0x1000, 0x3000, 0x4000]
    assert regions.grown_bytes(1) == [5, -20, 7]
    assert regions.grown_bytes(2) == [0]
