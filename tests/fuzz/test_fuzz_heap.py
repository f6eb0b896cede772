"""A short run of the heap fuzzer; `make fuzz` runs it for as long as wanted."""

from __future__ import annotations

import os
import resource

import pytest

from fuzz import fuzz_heap


@pytest.mark.parametrize("seed", [1, 2])
def test_no_damage_brings_out_anything_but_an_error_of_memprobe(seed: int) -> None:
    assert fuzz_heap.main(60 if "MEMPROBE_SANITIZED" in os.environ else 10, seed) == 0


def test_the_limit_ends_with_the_run() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with fuzz_heap.address_space_limited():
        pass
    assert resource.getrlimit(resource.RLIMIT_AS) == before
