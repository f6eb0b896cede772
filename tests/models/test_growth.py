"""Whether a number grows for good: series with a known answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from memprobe.models.growth import Growth, Series, Shape

NS = 1_000_000_000


def watched(value: Callable[[int], float], seconds: int, **options: int) -> Growth:
    """What comes of a number that was read once a second."""
    series = Series(**options)
    for second in range(seconds):
        series.add(second * NS, value(second))
    return series.growth()


def test_a_steady_leak_is_sure_within_twenty_seconds() -> None:
    growth = watched(lambda second: 10 * second, 18)
    assert growth.shape is Shape.STEADY
    assert growth.probability >= 0.5
    assert growth.per_s == 10


def test_noise_does_not_grow() -> None:
    level = np.random.default_rng(1).poisson(1000, 600)
    assert watched(lambda second: level[second], 600).probability < 0.1


def test_what_is_emptied_again_and_again_is_a_sawtooth() -> None:
    growth = watched(lambda second: 2000 * (second % 20), 95)
    assert growth.shape is Shape.SAWTOOTH
    assert growth.probability < 0.1


def test_a_full_cache_is_bounded() -> None:
    growth = watched(lambda second: min(100 * second, 3000), 60, limit=3000)
    assert growth.shape is Shape.BOUNDED
    assert growth.probability == 0
