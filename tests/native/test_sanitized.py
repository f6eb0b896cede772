"""What only a run with sanitizers can tell: that it is one, and that nothing leaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memprobe.native import _bpf, _heap, _native

pytestmark = pytest.mark.skipif("MEMPROBE_SANITIZED" not in os.environ, reason="`make sanitize` has it")


@pytest.mark.parametrize("module", [_native, _heap, _bpf])
def test_the_modules_under_test_are_the_sanitized_ones(module: object) -> None:
    assert b"__asan_init" in Path(str(getattr(module, "__file__", ""))).read_bytes()


def leaks(*command: str) -> str:
    """What the leak sanitizer says about a run of Python."""
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "PYTHONMALLOC": "malloc"}
    done = subprocess.run([sys.executable, *command], env=environment, stderr=subprocess.PIPE, text=True)
    return done.stderr


@pytest.mark.usefixtures("bpf")
def test_nothing_leaks() -> None:
    # CPython itself frees all it has here; so a test that nothing leaks needs one that something would.
    assert "12345 byte(s) in 1 object" in leaks("-c", "import ctypes; ctypes.CDLL(None).malloc(12345)")
    assert leaks(str(Path(__file__).parent / "targets" / "uses_everything.py")) == ""
