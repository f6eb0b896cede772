"""`make demo` does everything from nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import run
from pythons import ROOT


def copy_of_the_repository(folder: Path) -> Path:
    """Only the files that a clone would have (and the new ones that are not ignored)."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="installs a compiler through the network; set CI=true"
)
def test_demo_on_a_fresh_debian(clean_root: Path, tmp_path: Path) -> None:
    source, layer = tmp_path / "source", tmp_path / "layer"
    layer.mkdir()
    copy_of_the_repository(source)
    here = Path(__file__).parent
    inside = ("sh", here / "fresh_machine.sh", clean_root, source)
    output = run("sh", here / "in_layer.sh", layer, clean_root, "--", *inside)
    assert "leaky_service.py" in output
    assert "handle" in output
