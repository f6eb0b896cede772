"""What grew between two censuses: by hand."""

from __future__ import annotations

from memprobe.heap.document import GrowthPart, TypePart
from memprobe.heap.growth import what_grew, with_growth


def part(name: str, objects: int) -> TypePart:
    return TypePart(name, objects, objects, objects * 48, objects * 64)


def test_what_came_went_and_stayed() -> None:
    before = (part("old", 10), part("same", 5), part("grown", 1), part("shrunk", 9))
    now = (part("same", 5), part("grown", 4), part("new", 1), part("shrunk", 8))
    rows = {row.type: row for row in with_growth(now, before)}
    assert list(rows) == ["grown", "new", "same", "shrunk", "old"]
    assert rows["grown"].growth == GrowthPart(3, 144, 192)
    assert rows["new"].growth == GrowthPart(1, 48, 64)
    assert rows["same"].growth == GrowthPart(0, 0, 0)
    assert rows["shrunk"].growth == GrowthPart(-1, -48, -64)
    assert rows["old"].growth == GrowthPart(-10, -480, -640)
    assert (rows["old"].objects, rows["old"].allocated_bytes) == (0, 0)


def test_only_what_has_more_objects_grew() -> None:
    rows = with_growth((part("a", 3), part("b", 9), part("c", 1)), (part("a", 2), part("c", 1)))
    assert what_grew(rows) == ["b", "a"]


def test_nothing_before() -> None:
    assert [row.growth for row in with_growth((part("a", 1),), ())] == [GrowthPart(1, 48, 64)]
    assert with_growth((), ()) == ()
