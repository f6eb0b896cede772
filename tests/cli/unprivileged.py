"""memprobe as a user without any right."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from patience import PATIENCE_S

AS_NOBODY = """
import ctypes, encodings.ascii, importlib, os, pkgutil, resource, sys, traceback
import memprobe
for module in pkgutil.walk_packages(memprobe.__path__, "memprobe."):
    if not module.name.endswith(("__main__", "generate")):
        importlib.import_module(module.name)
from memprobe.cli import main
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: a change of user has cleared it
sys.exit(main(sys.argv[1:]))
"""
"""memprobe as a user who may not even read the folder that it is installed in."""


def as_nobody(*arguments: str | int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_NOBODY, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
