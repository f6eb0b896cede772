"""A short run of the image fuzzer; `make fuzz` runs it for as long as wanted."""

from __future__ import annotations

import pytest

from fuzz import fuzz_image


@pytest.mark.parametrize("seed", [1, 2])
def test_no_image_brings_out_anything_but_an_error_of_memprobe(seed: int) -> None:
    assert fuzz_image.main(10, seed) == 0
