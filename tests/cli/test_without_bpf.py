"""A memprobe that was built without BPF: everything else is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pythons
from patience import PATIENCE_S
from target.looking import needs_root

BUILT_WITHOUT = (
    "import sys; sys.modules['memprobe.native._bpf'] = None; from memprobe.cli import main; sys.exit(main())"
)


def memprobe(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BUILT_WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


@needs_root
def test_attach_does_without_and_says_so(targets: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py") as target:
        ended = memprobe("attach", target.pid, "--duration", "2", "--json", "--no-learn")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert "not libbpf: memprobe was built without BPF" in document["evidence"]["engine_why"]
    assert document["evidence"]["engine"] == "proc"


def test_blame_needs_it(targets: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py") as target:
        refused = memprobe("blame", target.pid, "x")
    assert refused.returncode == 6
    assert "built without BPF" in refused.stderr
