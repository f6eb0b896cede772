"""The target that counts its signals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ptrace_source.counting import compiled
from pythons import Target, spawn_command


@pytest.fixture(scope="session")
def counting(targets: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return compiled(targets / "counting_signals.c", tmp_path_factory.mktemp("counting"))


@pytest.fixture
def counter(counting: str) -> Iterator[Target]:
    with spawn_command([counting]) as target:
        yield target
