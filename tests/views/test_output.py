"""What goes out to standard output, and what happens when nothing can."""

from __future__ import annotations

import errno
import io
import json
import os
import sys

import pytest

from memprobe.errors import OutputNotWritable
from memprobe.views import output
from memprobe.views.page import Page


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_json_is_ascii_and_strict(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"name": "\x1b[31m\u202e日", "file": "a\udc80", "list": ["\udcff"], "none": None})
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "\x1b" not in shown
    assert json.loads(shown) == {
        "name": "\x1b[31m\u202e日",
        "file": "a\\udc80",
        "list": ["\\udcff"],
        "none": None,
    }


def test_no_number_that_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        output.show_json({"value": float("nan")})


def test_styles_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    output.show(Page("verdict"))
    assert "\x1b[" in stream.getvalue()
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    output.show(Page("verdict"))
    assert pipe.getvalue() == "verdict\n"


def test_a_full_disk_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    with pytest.raises(OutputNotWritable, match="No space left"):
        output.show(Page("verdict"))


def test_a_closed_standard_output_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputNotWritable, match="closed"):
        output.show(Page("verdict"))
