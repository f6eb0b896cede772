"""The BPF programs compiled as ordinary ones, against stub helpers and under sanitizers: probes/user."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from patience import PATIENCE_S
from pythons import ROOT

PROBES = ROOT / "probes"
TESTS = sorted(path.stem for path in (PROBES / "user").glob("test_*.c"))
MACHINE = {"x86_64": "x86", "aarch64": "arm64"}[platform.machine()]
FLAGS = ("-std=gnu11", "-g", "-O1", "-DMEMPROBE_USER", f"-D__TARGET_ARCH_{MACHINE}", f"-I{PROBES}")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-attributes")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# The tests themselves may run under sanitizers, which the compiler cannot.
PLAIN = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}

pytestmark = pytest.mark.skipif(MACHINE != "x86", reason="the stubs have the registers of x86-64")


@pytest.mark.parametrize("name", TESTS)
def test_it_holds_under_sanitizers(name: str, tmp_path: Path) -> None:
    sources = [PROBES / "user" / f"{name}.c", PROBES / "lib" / "stubs.c", PROBES / "lib" / "user_maps.c"]
    command = ["cc", *FLAGS, *WARNINGS, *SANITIZERS, *map(str, sources), "-o", str(tmp_path / name)]
    built = subprocess.run(command, capture_output=True, text=True, env=PLAIN)
    assert built.returncode == 0, built.stderr
    environment = {**PLAIN, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [tmp_path / name], capture_output=True, text=True, env=environment, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_every_program_has_one() -> None:
    sources = {path.name.removesuffix(".bpf.c") for path in PROBES.glob("*.bpf.c")} - {"peek", "smoke"}
    tested = {name.removeprefix("test_") for name in TESTS}
    assert sources | {"python_stack"} == tested
