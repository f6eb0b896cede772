"""The engines that the kernel source runs on."""

from __future__ import annotations

import os

import pytest

from memprobe.errors import NoKernelSupport
from memprobe.sources.bcc.compiling import python_with_bcc
from memprobe.sources.bcc.headers import find_headers
from memprobe.sources.bcc.kit import CompiledHere
from memprobe.sources.kernel.kit import Kit, Precompiled


@pytest.fixture(params=["libbpf", pytest.param("bcc", marks=pytest.mark.few_interpreters)])
def kit(request: pytest.FixtureRequest) -> Kit:
    """What the programs are made with: each engine in turn; bcc compiles once for all tests."""
    if request.param == "libbpf":
        return Precompiled()
    try:
        python_with_bcc()
        find_headers()
    except NoKernelSupport as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.line)
    return CompiledHere()
