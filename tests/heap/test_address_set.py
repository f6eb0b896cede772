"""Where objects were, against a set of numbers."""

from __future__ import annotations

import random

import numpy as np
import pytest

from memprobe.heap import arrays
from memprobe.heap.address_set import AddressSet


def somewhere(chance: random.Random, count: int) -> list[int]:
    """Addresses as heaps have them: dense in a few places, far from one another, at the ends of windows."""
    starts = [chance.randrange(1 << 47) & ~0xFFFFF for _ in range(4)]
    return [chance.choice(starts) + 8 * chance.randrange(-300, 300) & (1 << 47) - 1 for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_a_set(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "AT_ONCE", 64)
    chance = random.Random(seed)
    inside = somewhere(chance, chance.choice((1, 5, 1000)))
    asked = somewhere(chance, 1000) + inside[:100]
    found = AddressSet(np.array(inside, np.uint64)).contains(np.array(asked, np.uint64))
    assert found.tolist() == [one in set(inside) for one in asked]


def test_more_windows_than_short_keys_can_tell() -> None:
    inside = np.arange(1, 70_000, dtype=np.uint64) << np.uint64(19)
    found = AddressSet(inside)
    assert found.contains(inside).all()
    assert not found.contains(inside + np.uint64(8)).any()


def test_nothing() -> None:
    empty = np.empty(0, np.uint64)
    assert not AddressSet(empty).contains(np.array([8, 16], np.uint64)).any()
    assert not len(AddressSet(np.array([8], np.uint64)).contains(empty))
