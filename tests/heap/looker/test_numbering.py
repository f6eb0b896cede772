"""What was counted becomes rows."""

from __future__ import annotations

from itertools import count

from memprobe.heap.looker.numbering import LONGEST_ABSENCE, OVERLOOKED, Numbering, Told
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.subject import Seen, Subject, What

TYPE = Subject(What.TYPE, "app.Job")
BOX = Subject(What.CONTAINER, holder="app.JOBS")


def told(key: str, number: int | None, subject: Subject | None = None, size: int | None = 8) -> Told:
    return Told(key, number, size, None, 0, subject, 0)


def plain(rows: Rows) -> list[tuple[int, ...]]:
    return [tuple(row) for row in rows.tolist()]


def test_a_subject_is_told_once_and_again_when_more_is_known() -> None:
    numbering = Numbering(7, count(1))
    rows, news = numbering.counted([told("t", 3, TYPE), told("b", None, BOX)], 100)
    assert news == {1: TYPE, 2: BOX}
    assert plain(rows) == [(100, 1, 7, 0, 3, 8, -1), (100, 2, 7, 0, -1, 8, -1)]
    assert numbering.knows("t", TYPE)
    assert not numbering.knows("t", BOX)
    better = Subject(What.CONTAINER, "app.Job", "app.JOBS")
    rows, news = numbering.counted([told("t", 4), told("b", 5, better)], 200)
    assert news == {2: better}
    assert [(row["subject_id"], row["count"]) for row in rows] == [(1, 4), (2, 5)]


def test_what_is_not_found_any_more() -> None:
    """A collection has died if several looks miss it; of a type there are none, till it was away for long."""
    numbering = Numbering(7, count(1))
    numbering.counted([told("t", 3, TYPE), told("b", 4, BOX)], 100)
    for _ in range(OVERLOOKED):
        assert plain(numbering.counted([told("t", 3)], 100)[0]) == [(100, 1, 7, 0, 3, 8, -1)]
    rows, _ = numbering.counted([], 200)
    assert plain(rows) == [
        (200, 1, 7, 0, 0, 0, NOT_MEASURED),
        (200, 2, 7, Seen.DIED, NOT_MEASURED, NOT_MEASURED, NOT_MEASURED),
    ]
    rows, _ = numbering.counted([told("t", 9)], 300)
    assert plain(rows) == [(300, 1, 7, 0, 9, 8, -1)]
    for turn in range(LONGEST_ABSENCE):
        rows, _ = numbering.counted([], 400 + turn)
        assert [row["count"] for row in rows] == [0]
    rows, _ = numbering.counted([], 500)
    assert [row["flags"] for row in rows] == [Seen.DIED]
    assert len(numbering.counted([], 600)[0]) == 0


def test_what_a_look_does_not_tell_of_is_not_none() -> None:
    """There are more types than are told; and of garbage a part of a heap says nothing."""
    numbering = Numbering(7, count(1))
    garbage, total = Subject(What.GARBAGE, "app.Ring"), Subject(What.MEMORY, "objects")
    numbering.counted([told("t", 3, TYPE), told("g", 4, garbage), told("m", 900, total)], 100)
    for _ in range(LONGEST_ABSENCE):
        assert len(numbering.counted([], 200, ["t", "g"])[0]) == 0
    rows, _ = numbering.counted([], 300, ["t", "g"])
    assert [(row["subject_id"], row["flags"]) for row in rows] == [(1, Seen.DIED), (2, Seen.DIED)]
    assert list(numbering.keys) == ["m"], "a sum is there as long as the process"


def test_what_is_overlooked_once() -> None:
    numbering = Numbering(7, count(1))
    numbering.counted([told("b", 4, BOX)], 100)
    assert len(numbering.counted([], 200)[0]) == 0
    assert plain(numbering.counted([told("b", 6)], 300)[0]) == [(300, 1, 7, 0, 6, 8, -1)]


def test_rows_of_one_subject_are_in_order_of_time() -> None:
    """A look is told when it is over; meanwhile lengths were."""
    numbering = Numbering(7, count(1))
    numbering.counted([told("b", 4, BOX)], 100)
    assert plain(numbering.lengths([("b", 6, 300), ("?", 1, 300)])) == [(300, 1, 7, 0, 6, -1, -1)]
    rows, _ = numbering.counted([told("b", 5)], 200)
    assert [row["time_ns"] for row in rows] == [300]
    assert len(numbering.lengths([("b", 6, 250)])) == 0


def test_the_end_of_a_program() -> None:
    numbers = count(1)
    numbering = Numbering(7, numbers)
    numbering.counted([told("t", 3, TYPE), told("b", 4, BOX)], 100)
    rows = numbering.end(150)
    assert [(row["subject_id"], row["flags"]) for row in rows] == [(1, Seen.DIED), (2, Seen.DIED)]
    assert not numbering.knows("t", TYPE)
    assert numbering.counted([told("t", 1, TYPE)], 200)[1] == {3: TYPE}


def test_what_was_counted_late_in_a_look_has_that_time() -> None:
    numbering = Numbering(7, count(1))
    late = Told("t", 3, 8, None, 0, TYPE, 150)
    assert plain(numbering.counted([late], 100)[0]) == [(150, 1, 7, 0, 3, 8, -1)]
    assert plain(numbering.counted([told("t", 4)], 140)[0]) == [(150, 1, 7, 0, 4, 8, -1)]


def test_what_a_hostile_target_makes_up_is_no_more_than_a_row_can_have() -> None:
    rows, _ = Numbering(7, count(1)).counted([told("b", 1 << 70, BOX, 1 << 70)], 100)
    assert rows["count"][0] > 1 << 60
    assert rows["bytes"][0] > 1 << 60
