"""Generated copies say what their source says."""

from __future__ import annotations

import shutil
import sys

import pytest

from commands import run


@pytest.mark.skipif(shutil.which("clang") is None, reason="reading the types back needs clang")
def test_the_records_of_the_kernel_side_are_those_of_abi_h() -> None:
    assert run(sys.executable, "scripts/generate_abi.py", "--check") == ""


def test_the_settings_in_the_docs_are_those_of_the_table() -> None:
    assert run(sys.executable, "scripts/settings_table.py", "--check") == ""
