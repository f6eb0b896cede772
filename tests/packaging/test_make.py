"""What `make` says of itself, and what its scripts say when something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import run
from pythons import ROOT, supported

TARGETS = """
    setup build install demo attach test matrix bench soak lint fmt fuzz wheel clean
"""


def test_make_alone_prints_every_target() -> None:
    printed = run("make")
    assert [target for target in TARGETS.split() if f"make {target} " not in printed] == []


def test_attach_without_a_pid_is_one_line() -> None:
    done = subprocess.run(["make", "-s", "attach"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "make attach PID=1234" in done.stderr


def test_attach_is_the_command_of_that_name() -> None:
    printed = run("make", "-s", "-n", "-o", "build", "attach", "PID=4711")
    assert printed.splitlines()[-1].endswith("/memprobe attach 4711")


def test_setup_is_silent_when_nothing_is_missing() -> None:
    assert run("sh", "scripts/setup.sh") == ""


def test_setup_without_apt_lists_what_is_missing_in_one_line(tmp_path: Path) -> None:
    for tool in ("id", "sh", "tr", "uname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        ["sh", "scripts/setup.sh"], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "gcc clang" in line.replace("libc6-dev ", "")
    assert "libbpf-dev" in line


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    olds = [one for one in supported() if one.version < (3, 11) and one.root is None]
    if not olds:
        pytest.skip("no Python before 3.11 here")
    done = subprocess.run(
        ["make", "build", f"PYTHON={olds[0].path}"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "memprobe needs 3.11 or newer: make PYTHON=python3.11" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()
