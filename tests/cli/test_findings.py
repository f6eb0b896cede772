"""What attach comes to: two leaks at once, one of them in workers; live, and from the recording."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import pythons
from cli.running import COMMAND, document, run
from cli.test_attach import wait_for
from cli.unprivileged import needs_root
from patience import PATIENCE_S, until


def sure(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The findings that are sure, by kind; there is one of a kind."""
    found = [one for one in report["findings"] if one["confidence"] >= 0.5]
    kinds = {one["kind"]: one for one in found}
    assert len(kinds) == len(found)
    return kinds


def watch_until_found(process: subprocess.Popen[str], recording: Path, kinds: set[str]) -> None:
    """Ask the recording, as it grows, what has been found; then end the run as Ctrl-C does."""
    wait_for(recording, "samples", process)
    until(lambda: sure(document("report", str(recording))).keys() >= kinds, pause_s=2)
    process.send_signal(signal.SIGINT)


PATTERN = """
[[pattern]]
id = "shop-cache"
title = "the shop keeps everything"
package = "shop"
versions = ["<1.4"]
fixed = "1.4"
advice = "Upgrade the shop."

[[pattern.match]]
holder = ["__main__.CACHE"]
"""


def as_package(script: Path, folder: Path) -> Path:
    """Copy a program to where it is a package that leaks in its version, as the user knows."""
    metadata = folder / "shop-1.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: shop\nVersion: 1.3\n")
    (metadata / "top_level.txt").write_text("__main__\n")
    patterns = folder / "memprobe" / "patterns"
    patterns.mkdir(parents=True)
    (patterns / "shop.toml").write_text(PATTERN)
    return Path(shutil.copy(script, folder))


@needs_root
def test_two_leaks_at_once_one_of_them_in_every_worker(
    bpf: None, targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "run.mprobe"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pythons.own().spawn(as_package(targets / "two_leaks.py", tmp_path)) as target:
        begin_s = time.monotonic()
        command = [*COMMAND, "attach", str(target.pid), "--tree", "--record", str(recording), "--json"]
        command += ["--usd-per-gb-hour", "1", "--fail-on", "caches"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            watch_until_found(process, recording, {"handles", "caches"})
            life_s = time.monotonic() - begin_s
            output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (1, "")
    report = json.loads(output)
    files, cache = sure(report)["handles"], sure(report)["caches"]
    assert [frame["line"] for frame in files["site"][:1]] == [19]
    assert files["limit"] == "descriptors"
    assert 0.4 < files["count_per_s"] / (files["count"] / life_s) < 2.5
    assert cache["holder"] == "__main__.CACHE"
    assert cache["title"].endswith("(in 2 processes)")
    assert 0.4 < cache["count_per_s"] / (cache["count"] / life_s) < 2.5
    assert cache["bytes"] > 0
    assert all(0 < one["detected_after_s"] <= report["window"]["duration_s"] for one in (files, cache))

    known = cache["known"]
    assert (known["pattern"], known["package"], known["version"]) == ("shop-cache", "shop", "1.3")
    assert files["known"] is None

    again = document("report", str(recording))
    assert again == report
    dearer = document("report", str(recording), "--usd-per-gb-hour", "10")
    assert sure(dearer)["caches"]["cost_usd_per_month"] > 9 * cache["cost_usd_per_month"]
    assert [one["id"] for one in dearer["findings"]] == [one["id"] for one in report["findings"]]

    page = run("report", str(recording), "--fail-on", "threads")
    assert page.returncode == 0
    assert page.stdout.splitlines()[0].startswith(f"pid {target.pid}: 2 leaks: handles (")
    for part in ("two_leaks.py:19", "__main__.CACHE", files["id"], cache["id"], "Upgrade the shop."):
        assert part in page.stdout
    assert run("report", str(recording), "--fail-on", "any", "--min-confidence", "1").returncode == 0
