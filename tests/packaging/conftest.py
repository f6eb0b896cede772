"""The wheel, what it needs to be installed offline, and the machines it is installed on."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from commands import run
from pythons import ROOT

WHEELHOUSE = ROOT / ".cache" / "wheelhouse"
CLEAN_ROOT = ROOT / ".cache" / "rootfs" / "bookworm"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder builds and installs, and is marked so."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("packaging")


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel, freshly built if anything in it has changed."""
    run("make", "wheel")
    (found,) = (ROOT / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="session")
def wheelhouse(wheel: Path) -> Path:
    """A folder with everything that the wheel depends on, for Debian 12's Python."""
    wanted = "\n".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    stamp = WHEELHOUSE / ".holds"
    if not stamp.exists() or stamp.read_text() != wanted:
        pip = ROOT / ".venv" / "bin" / "pip"
        run(pip, "download", "-qq", "--only-binary=:all:", "--python-version=3.11", "-d", WHEELHOUSE, wheel)
        for copy in WHEELHOUSE.glob("memprobe*"):
            copy.unlink()
        stamp.write_text(wanted)
    return WHEELHOUSE


@pytest.fixture(scope="session")
def clean_root() -> Path:
    """A Debian with Python and nothing else: no compiler, no libbpf."""
    if os.geteuid() != 0:
        pytest.skip("a second root needs root")
    run("sh", "scripts/rootfs.sh", CLEAN_ROOT, "bookworm", "python3", "python3-venv")
    return CLEAN_ROOT
