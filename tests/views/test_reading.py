"""How far the reading of a recording is: said on a terminal, and only where it takes long."""

from __future__ import annotations

import io
import sys

import pytest

from memprobe.ledger import Ledger
from memprobe.ledger.entries import FINISHED
from memprobe.ledger.ledger import News
from memprobe.views import reading
from memprobe.vocab.rows import POPULATION, SAMPLE, no_rows

NS = 1_000_000_000


class Terminal(io.StringIO):
    """Standard error that is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


def told(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a reading of a hundred seconds writes when it has come to forty."""
    monkeypatch.setattr(sys, "stderr", stream)
    ledger, one = Ledger(), reading.Reading("run.mprobe\x1b[2J", 5 * NS, 105 * NS)
    ledger.now_ns = 45 * NS
    one.fold(ledger, News(0, 0, no_rows(FINISHED), no_rows(POPULATION)), no_rows(SAMPLE))
    one.erase()
    return stream.getvalue()


def test_it_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FIRST_S", 0.0)
    text = told(Terminal(), monkeypatch)
    assert "reading run.mprobe\\x1b[2J: 40 %" in text
    assert text.endswith("\r\x1b[K")


def test_what_is_quick_or_goes_into_a_file_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(Terminal(), monkeypatch) == ""
    monkeypatch.setattr(reading, "FIRST_S", 0.0)
    assert told(io.StringIO(), monkeypatch) == ""
