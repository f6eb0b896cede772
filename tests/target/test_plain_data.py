"""Dataclasses to plain data and back; nothing of the wrong type comes in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.target.inspection.document import Inspection
from memprobe.target.inspection.plain_data import WrongData, as_plain, from_plain
from views.made_up import INSPECTION


@dataclass(frozen=True)
class Inner:
    name: str
    size: int | None


@dataclass(frozen=True)
class Outer:
    pair: tuple[int, int]
    inners: tuple[Inner, ...]
    by_name: dict[str, int]
    seconds: float
    ready: bool


OUTER = Outer((3, 11), (Inner("a", 1), Inner("b", None)), {"x": 5}, 1.5, True)


def test_round_trip() -> None:
    assert from_plain(Outer, json.loads(json.dumps(as_plain(OUTER)))) == OUTER


def test_an_inspection_makes_the_round_trip() -> None:
    assert from_plain(Inspection, json.loads(json.dumps(as_plain(INSPECTION)))) == INSPECTION


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("ready",), 1, "Outer.ready is not of type bool"),
        (("pair", 0), True, r"Outer.pair\[0\] is not of type int"),
        (("pair",), [1, 2, 3], "Outer.pair has 3 values, not 2"),
        (("pair",), {}, "Outer.pair is not a list"),
        (("by_name",), [], "Outer.by_name is not an object"),
        (("by_name", "x"), "5", "Outer.by_name.x is not of type int"),
        (("inners", 0, "name"), None, r"Outer.inners\[0\].name is not of type str"),
        (("inners", 0), {"name": "a"}, r"Outer.inners\[0\] does not have the fields name, size"),
        (("inners", 1), "b", "does not have the fields"),
        (("seconds",), float("nan"), "Outer.seconds is not finite"),
        (("seconds",), 10**400, "Outer.seconds is too large"),
        (("inners", 0, "size"), 1 << 64, "is too large"),
    ],
)
def test_wrong_data_is_named(path: tuple[Any, ...], value: Any, message: str) -> None:
    plain = as_plain(OUTER)
    part = plain
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(WrongData, match=message):
        from_plain(Outer, plain)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(JSON)
def test_any_json_is_data_or_wrong_data(value: Any) -> None:
    try:
        from_plain(Outer, value)
    except WrongData:
        pass


@given(st.sampled_from(list(as_plain(OUTER))), JSON)
def test_any_field_may_be_wrong(field: str, value: Any) -> None:
    try:
        built = from_plain(Outer, {**as_plain(OUTER), field: value})
    except WrongData:
        return
    assert as_plain(built) == {**as_plain(OUTER), field: as_plain(value)}


@dataclass(frozen=True)
class Newer:
    name: str
    added: int = 0


def test_a_field_with_a_default_may_be_missing() -> None:
    assert from_plain(Newer, {"name": "a"}) == Newer("a")
    for wrong in ({}, {"added": 1}, {"name": "a", "other": 1}):
        with pytest.raises(WrongData, match="does not have the fields name, added"):
            from_plain(Newer, wrong)
