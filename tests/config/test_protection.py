"""Protected patterns: what is meant is withheld and counted, in recorded, made-up and live runs."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pythons
from cli.running import document, run
from cli.test_attach import attached, ended, wait_for
from config.effects import leaking, verdict_on_cache
from detectors.stories import ACCEPTED, FILE, OTHER_LINE, Story
from memprobe.config import DEFAULTS, Aspect, Protection, Spoken, read_config
from memprobe.session import replayed
from memprobe.views.report import document as report_of
from memprobe.vocab.finding import Kind, Withheld
from memprobe.vocab.kinds import SocketState
from patience import until

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "recordings"


def golden(folder: Path, name: str) -> Path:
    path = folder / f"{name}.mprobe"
    path.write_bytes(gzip.decompress((GOLDEN / f"{name}.mprobe.gz").read_bytes()))
    return path


def found_in(name: str) -> dict[str, Any]:
    """The finding that the run came to."""
    (one,) = json.loads((GOLDEN / f"{name}.json").read_text())["findings"]
    assert isinstance(one, dict)
    return one


@pytest.mark.parametrize(
    ("name", "pattern", "is_meant"),
    [
        ("handles-files-fast-lru", "path=/dev/* # scratch", True),
        ("handles-files-fast-lru", "path=/dev/nul # scratch", False),
        ("handles-files-fast-lru", "peer=/dev/* # scratch", False),
        ("caches-reports-fast", "type=tupl # plain", False),
        ("caches-reports-fast", "holder=__main__.*.pages # plain", True),
    ],
)
def test_a_recorded_run(tmp_path: Path, name: str, pattern: str, is_meant: bool) -> None:
    report = report_of(*replayed(golden(tmp_path, name), protected(pattern)))
    assert [one["id"] for one in report["findings"]] == ([] if is_meant else [found_in(name)["id"]])
    assert [one["findings"] + one["suspects"] for one in report["withheld"]] == ([1] if is_meant else [])
    assert (found_in(name)["title"] in json.dumps(report)) is not is_meant


def test_the_command_does_not_fail_on_what_is_withheld_and_says_so(tmp_path: Path) -> None:
    path = str(golden(tmp_path, "cycles-saved-medium"))
    pattern = ("--protect", "holder=gc.garbage # DEBUG_SAVEALL is on", "--fail-on", "any")
    report = document("report", path, *pattern)
    assert report["withheld"] == [
        {
            "by": "holder 'gc.garbage'",
            "reason": "DEBUG_SAVEALL is on",
            "findings": 1,
            "suspects": 0,
        }
    ]
    words = "Withheld by holder 'gc.garbage' (DEBUG_SAVEALL is on): 1 finding and 0 suspects."
    assert words in report["evidence"]["invisible"]
    assert run("report", path, "--fail-on", "any").returncode == 1


def protected(*patterns: str) -> Any:
    return read_config(Spoken(protect=patterns), {}, searches=False)


def said(story: Story) -> tuple[list[str], Sequence[Withheld]]:
    return [one.site[0].function for one in story.findings()], story.verdicts.verdict.withheld


def test_only_what_is_all_meant_is_withheld() -> None:
    """Pictures of the made-up kernel say of each handle by which stack it was opened."""
    story = Story(config=protected("path=stack 1 # one", "path=stack 9 # nothing"))
    story.attach()
    for _ in range(40):
        story.open(FILE, 10)
        story.open(OTHER_LINE, 25)
        story.tell()
    functions, withheld = said(story)
    assert functions == ["Other.run"]
    assert [(one.by, one.reason, one.findings) for one in withheld] == [("path 'stack 1'", "one", 1)]


def test_peers() -> None:
    story = Story(states={ACCEPTED: SocketState.ESTABLISHED}, config=protected("peer=2 # ours"))
    story.attach()
    for _ in range(40):
        story.open(ACCEPTED, 10)
        story.tell()
    functions, withheld = said(story)
    assert functions == []
    assert [one.by for one in withheld] == ["peer '2'"]


def test_what_is_withheld_is_not_in_the_word_on_memory() -> None:
    shown = leaking(DEFAULTS)
    hidden = leaking(protected("path=stack* # on purpose"))
    assert [one.kind for one in shown.findings()] == [Kind.HANDLES]
    assert hidden.findings() == []
    assert "Store.load" not in repr(hidden.verdicts.verdict)


def test_brackets_of_holders_do_not_count() -> None:
    story = verdict_on_cache(protected("holder=app.CACHE # known"), holder="app.CACHE")
    keyed = verdict_on_cache(protected("holder=app.CACHE[*].rows # known"), holder="app.CACHE[3].rows")
    other = verdict_on_cache(protected("holder=app.CACHE[*].rows # known"), holder="app.CACHE[3].row")
    assert [len(one.verdict.findings) for one in (story, keyed, other)] == [0, 0, 1]


@given(st.lists(st.text("ab.*", max_size=4), max_size=6), st.text("ab.", max_size=12))
def test_a_pattern_means_what_a_star_says(parts: list[str], text: str) -> None:
    pattern = "*".join(parts)
    wanted = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert Protection(Aspect.TYPE, pattern, "why").matches(text) is wanted


def test_a_live_run_and_its_recording(targets: Path, tmp_path: Path) -> None:
    """Files that are opened on and on, protected by their path: withheld live, again, and told if asked."""
    recording = tmp_path / "run.mprobe"
    (tmp_path / "memprobe.toml").write_text(
        "[run]\nlearn = false\n[[protect]]\npath = '/etc/pass*'\nreason = 'few'\n"
    )
    options = ("--json", "--record", recording, "--config", tmp_path / "memprobe.toml")
    with pythons.own().spawn(targets / "opening_on.py") as target, attached(target.pid, *options) as process:
        wait_for(recording, "samples", process)
        until(lambda: document("report", str(recording))["withheld"], pause_s=1)
        live = ended(process)
    assert [one["kind"] for one in live["findings"]] == []
    assert [one["reason"] for one in live["withheld"]] == ["few"]
    assert json.loads(json.dumps(report_of(*replayed(recording)))) == live
    shown = read_config(Spoken(assignments=("report.show_protected=on",)), {}, searches=False)
    told = report_of(*replayed(recording, shown))
    assert "handles" in [one["kind"] for one in told["findings"]]
    assert told["withheld"] == []
