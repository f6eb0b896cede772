"""Recordings of the benchmark, and of older formats, give the findings that their live runs gave.

tests/golden/recordings: NAME.mprobe.gz as it was recorded, NAME.json with what the live report had. Models
learn since: how sure they are, and in which words, may be another thing today; what leaks is not.
"""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import pytest

from memprobe.recording import RecordingReader
from memprobe.session import replayed
from memprobe.views.report import document
from memprobe.vocab.finding import Kind

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "recordings"
SAME = ("id", "kind", "type", "holder", "count", "added")
NAMES = sorted(path.name.removesuffix(".mprobe.gz") for path in FOLDER.glob("*.mprobe.gz"))


@pytest.mark.parametrize("name", NAMES)
def test_the_findings_of_the_live_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.mprobe"
    path.write_bytes(gzip.decompress((FOLDER / f"{name}.mprobe.gz").read_bytes()))
    expected = json.loads((FOLDER / f"{name}.json").read_text())["findings"]
    found = document(*replayed(path))["findings"]
    assert [one[name] for one in found for name in SAME] == [one[name] for one in expected for name in SAME]
    with RecordingReader(path) as reader:
        assert sum(1 for _ in iter(reader.poll, None)) > 30
        assert not reader.damage.count


def test_there_are_enough_of_every_kind_and_they_are_small() -> None:
    found = [json.loads((FOLDER / f"{name}.json").read_text())["findings"] for name in NAMES]
    kinds = {one["kind"] for findings in found for one in findings}
    assert kinds == {kind.value for kind in Kind}
    assert len(NAMES) >= 30
    assert sum(not findings for findings in found) >= 9  # healthy programs
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    assert max(sizes) < 100_000
    assert sum(sizes) < 2_000_000


def test_every_format_is_among_them() -> None:
    formats = set()
    for name in NAMES:
        header = gzip.decompress((FOLDER / f"{name}.mprobe.gz").read_bytes())[:100]
        formats.add(struct.unpack_from(">I", header, 60)[0])
    assert formats == {1, 2}
