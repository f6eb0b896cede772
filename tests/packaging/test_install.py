"""`make install`: the command is there for everybody, and for sudo."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from commands import run
from kernel import bpf_refusal
from pythons import ROOT

HERE = Path(__file__).parent


def test_install_and_uninstall_with_a_prefix(wheel: Path, tmp_path: Path) -> None:
    prefix = f"PREFIX={tmp_path}"
    assert str(tmp_path / "bin" / "memprobe") in run("make", "install", prefix)
    version = wheel.name.split("-")[1]
    assert version in run(tmp_path / "bin" / "memprobe", "--version")
    run("make", "uninstall", prefix)
    assert not (tmp_path / "bin" / "memprobe").exists()
    assert not (tmp_path / "lib" / "memprobe").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a user")
def test_sudo_memprobe_works_for_another_user(wheel: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    output = run("sh", HERE / "in_layer.sh", layer, "/etc", "/usr/local", "--", "sh", HERE / "as_a_user.sh")
    document, own_pid = output.strip().rsplit("\n", 1)
    report = json.loads(document)
    assert report["schema"] == "memprobe.report/1"
    assert report["target"]["pid"] == int(own_pid)
    assert report["target"]["tier"] == (1 if bpf_refusal() else 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_prefix_that_is_not_writable_is_one_line() -> None:
    done = subprocess.run(["make", "install", "PREFIX=/usr"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "not writable: sudo make install" in done.stderr
