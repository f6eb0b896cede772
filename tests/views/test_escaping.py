"""No string of a target can do anything to the operator's terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.views.escaping import cells, escape, shorten
from views.hostile import HOSTILE


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_becomes_visible(text: str) -> None:
    shown = escape(text)
    assert "\\" in shown
    assert shown.isprintable()


def test_what_is_printable_stays_as_it_is() -> None:
    for text in ("plain", "[bold]markup[/]", "naïve 日本語 Ω", "C:\\x"):
        assert escape(text) == text


@given(st.text(alphabet=st.characters()))
def test_only_printable_characters_come_out(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in shown)


@given(st.text(), st.integers(0, 50))
def test_shorten_keeps_the_width_and_both_ends(text: str, width: int) -> None:
    short = shorten(text, width)
    assert len(short) <= max(width, 0)
    if len(text) <= width:
        assert short == text
    elif width >= 4:
        assert "…" in short
        assert text.endswith(short.rpartition("…")[2])


def test_cells_counts_columns_not_characters() -> None:
    assert cells("abc") == 3
    assert cells("日本") == 4
    assert cells("e\u0301") == 1
