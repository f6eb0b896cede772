"""Extensions of many paths at once against those of one path at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.kernel_model import FIRST_TABLE
from memprobe.abi import BirthHow, DeathHow
from memprobe.ledger.extensions import NOT_NAMED, extension_text, extensions
from memprobe.ledger.handles import NAMED, HandleLedger
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.sort import group_of

PIECES = st.sampled_from(
    ["/", ".", "a", "B", "tmp", ".py", "_", "-", "7", " (deleted)", "\u00e4", "abcdefgh"]
)
PATHS = st.lists(st.lists(PIECES, max_size=8).map("".join), max_size=8)


@given(PATHS)
def test_all_at_once_is_one_by_one(paths: list[str]) -> None:
    encoded = [path.encode() for path in paths]
    lengths = np.array(list(map(len, encoded)), np.int64)
    source = np.frombuffer(b"".join(encoded), np.uint8)
    codes = extensions(source, np.cumsum(lengths) - lengths, lengths)
    assert [extension_text(int(code)) for code in codes] == [group_of("file", path) for path in paths]


def test_lifetimes_know_the_extension_of_what_they_were() -> None:
    ledger = HandleLedger()
    births, paths = np.zeros(2, rows.BIRTH), [b"/tmp/a.TMP", b"/srv/app.log"]
    births["time_ns"], births["descriptor"], births["files"] = [10, 20], [3, 4], FIRST_TABLE
    births["how"], births["path_bytes"], births["pid"] = BirthHow.OPEN, list(map(len, paths)), 1
    deaths = np.zeros(2, rows.DEATH)
    deaths["time_ns"], deaths["files"], deaths["how"] = [30, 1040], FIRST_TABLE, DeathHow.CLOSE
    deaths["first"] = deaths["last"] = [3, 4]
    at_once = ledger.fold(Batch("made", 0, 100, 100, births=births, paths=b"".join(paths), deaths=deaths[:1]))
    later = ledger.fold(Batch("made", 100, 2000, 2000, deaths=deaths[1:]))
    assert [extension_text(int(code)) for code in at_once["extension"]] == [".tmp"]
    assert [extension_text(int(code)) for code in later["extension"]] == [".log"]


def test_of_very_many_some_are_named() -> None:
    births, ledger = np.zeros(10_000, rows.BIRTH), HandleLedger()
    births["time_ns"], births["files"], births["how"] = range(1, 20_001, 2), FIRST_TABLE, BirthHow.OPEN
    births["descriptor"], births["path_bytes"] = 3, 5
    deaths = np.zeros(10_000, rows.DEATH)
    deaths["time_ns"], deaths["files"], deaths["how"] = range(2, 20_002, 2), FIRST_TABLE, DeathHow.CLOSE
    deaths["first"] = deaths["last"] = 3
    batch = Batch("made", 0, 1 << 20, 1 << 20, births=births, paths=b"/a.py" * 10_000, deaths=deaths)
    codes, counts = np.unique(ledger.fold(batch)["extension"], return_counts=True)
    assert [extension_text(int(codes[0])), int(codes[1])] == [".py", NOT_NAMED]
    assert NAMED / 2 < counts[0] <= NAMED
