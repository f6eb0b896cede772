"""What attach comes to: two leaks at once, one of them in workers; live, and from the recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pythons
from cli.running import document, run
from cli.unprivileged import needs_root

SECONDS = 26


def named(report: dict[str, Any], kind: str) -> dict[str, Any]:
    """The only finding of a kind that is sure."""
    (found,) = [one for one in report["findings"] if one["kind"] == kind and one["confidence"] >= 0.5]
    return dict(found)


@needs_root
def test_two_leaks_at_once_one_of_them_in_every_worker(bpf: None, targets: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.mprobe"
    with pythons.own().spawn(targets / "two_leaks.py") as target:
        arguments = ("--tree", "--duration", SECONDS, "--record", str(recording), "--usd-per-gb-hour", 1)
        done = run("attach", target.pid, *arguments, "--fail-on", "caches", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    files, cache = named(report, "handles"), named(report, "caches")
    assert [frame["line"] for frame in files["site"][:1]] == [19]
    assert files["limit"] == "descriptors"
    assert 30 < files["count_per_s"] < 51
    assert cache["holder"] == "__main__.CACHE"
    assert cache["title"].endswith("(in 2 processes)")
    assert 60 < cache["count_per_s"] < 102
    assert cache["bytes"] > 0
    assert all(0 < one["detected_after_s"] < SECONDS for one in (files, cache))

    again = document("report", str(recording))
    assert again == report
    dearer = document("report", str(recording), "--usd-per-gb-hour", "10")
    assert named(dearer, "caches")["cost_usd_per_month"] > 9 * cache["cost_usd_per_month"]
    assert [one["id"] for one in dearer["findings"]] == [one["id"] for one in report["findings"]]

    page = run("report", str(recording), "--fail-on", "threads")
    assert page.returncode == 0
    assert page.stdout.splitlines()[0].startswith(f"pid {target.pid}: 2 leaks: handles (")
    for part in ("two_leaks.py:19", "__main__.CACHE", files["id"], cache["id"], "Limit __main__.CACHE"):
        assert part in page.stdout
    assert run("report", str(recording), "--fail-on", "any", "--min-confidence", "1").returncode == 0
