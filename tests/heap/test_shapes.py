"""The tables of shapes: what they say can be carried out, in every version."""

from __future__ import annotations

import re

import pytest

from memprobe.heap.shapes import _BY_NAME, Member, Op, Strength, packed
from memprobe.heap.shapes.notation import parse
from memprobe.target.layouts import VERSIONS, load_layout
from pythons import ROOT

HEADER = (ROOT / "memprobe/native/src/heap_types.h").read_text()


def enumerators(prefix: str, last: str) -> list[str]:
    """The names of an enum of heap_types.h, in order."""
    found = re.findall(rf"^\s+{prefix}(\w+)[,\s]", HEADER, re.MULTILINE)
    return found[: found.index(last) + 1]


def test_c_has_the_same_operations() -> None:
    assert enumerators("HEAP_OP_", "IF") == [op.name for op in Op]


def test_c_has_the_same_strengths() -> None:
    names = [f"HEAP_{strength.name}" for strength in Strength]
    assert re.search(r"enum heap_strength \{(.*?)\}", HEADER, re.DOTALL) is not None
    assert [HEADER.index(f"    {name}") for name in names] == sorted(
        HEADER.index(f"    {name}") for name in names
    )


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"3.{version[1]}")
def test_every_line_parses(version: tuple[int, int]) -> None:
    layout = load_layout(version)
    for name, line in _BY_NAME.items():
        for member in parse(line, layout, 2048):
            assert 0 <= member.offset < 2048, name


def test_what_a_version_does_not_have_is_left_out() -> None:
    line = "PyFunctionObject func_builtins=__builtins__ func_code=__code__ -7@-9 ~8=x@10-"
    old = [member.name for member in parse(line, load_layout((3, 9)))]
    new = [member.name for member in parse(line, load_layout((3, 10)))]
    assert old == ["__code__", "<7>"]
    assert new == ["__builtins__", "__code__", "x"]


def test_the_notation() -> None:
    found = list(parse("- table!last,22=<handlers> ?conservative!2,end= last3", load_layout((3, 11)), 80))
    assert found == [
        Member("<handlers>", Op.TABLE, Strength.VISITED, 72, 22),
        Member("", Op.CONSERVATIVE, Strength.GUESSED, 16, 80),
        Member("<last3>", Op.POINTER, Strength.VISITED, 48, 0),
    ]


def test_a_mistake_in_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="in the shape"):
        list(parse("- 2!3!4", load_layout((3, 11))))


def test_members_are_packed_as_c_reads_them() -> None:
    assert packed([Member("x", Op.SET, Strength.WEAK, -24, 3)]).hex() == "07000200e8ffffff03000000"
