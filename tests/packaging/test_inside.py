"""The distribution memprobe-inside: one module, the same file as memprobe's own, for Python 3.8 too."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import memprobe
from commands import run
from pythons import ROOT


def test_it_is_one_module_for_every_python(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "inside", tmp_path / "inside")
    run(
        *(sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps"),
        *("--wheel-dir", tmp_path, tmp_path / "inside"),
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"memprobe_inside-{memprobe.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        modules = [name for name in archive.namelist() if ".dist-info/" not in name]
        metadata = archive.read(f"memprobe_inside-{memprobe.__version__}.dist-info/METADATA").decode()
        assert modules == ["memprobe_inside.py"]
        assert archive.read(modules[0]) == (ROOT / "memprobe" / "inside.py").read_bytes()
    assert "Requires-Python: >=3.8\n" in metadata
    assert "Requires-Dist" not in metadata
