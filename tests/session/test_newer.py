"""A CPython that came after this memprobe: watched from outside; what needs its memory refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.impostors import impostor
from cli.running import complaint, document, run

NEWER, OLDER = 0x031000F0, 0x030710F0


def test_one_that_is_newer_is_watched_from_outside(tmp_path: Path) -> None:
    with impostor(tmp_path, NEWER) as target:
        report = document("attach", target.pid, "--engine", "proc", "--duration", "1", "--no-learn")
    assert (report["target"]["tier"], report["target"]["python"]) == (0, "3.16.0")
    assert report["memory"]["rss_mb"] > 0
    told = " ".join(report["evidence"]["invisible"])
    assert "the target runs CPython 3.16.0; memprobe reads CPython 3.8 to 3.15" in told
    assert "py-spy" in told


@pytest.mark.parametrize(("command", "version"), [("heap", NEWER), ("tasks", NEWER), ("attach", OLDER)])
def test_what_cannot_do_without_its_memory_refuses_it(tmp_path: Path, command: str, version: int) -> None:
    with impostor(tmp_path, version) as target:
        words = complaint(run(command, target.pid), 5)
    assert "memprobe reads CPython 3.8 to 3.15" in words
