"""Short names of holders, what is remembered of a survey, and which names say that a number is a limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.heap.naming import Path
from memprobe.heap.references import Place
from memprobe.heap.subjects.remembered import MOST_COUNTED, Remembered, remember, unpacked
from memprobe.heap.subjects.words import holder_text, holders_above, stable_number

CLASSES = {2: "app.pool.Pool", 3: "queue.Queue", 4: "app.pool.Session"}


def class_of(address: int) -> str:
    return CLASSES.get(address, "")


def path(*steps: str) -> Path:
    """A path whose places have the addresses 1, 2, ..."""
    ends = tuple(sum(map(len, steps[: index + 1])) for index in range(len(steps)))
    return Path("".join(steps), tuple(map(Place, range(1, len(steps) + 1))), ends)


@pytest.mark.parametrize(
    ("steps", "holder", "chain"),
    [
        (("app.cache", ".SESSIONS"), "app.cache.SESSIONS", ()),
        (("app.pool", ".POOL", "._all", "[3]", ".log"), "app.pool.POOL._all[…].log", ("app.pool.POOL._all",)),
        (("<thread 47 'main'> app:run local pool", "", "._all"), "app.pool.Pool._all", ()),
        (
            ("<thread 47 'main'> app:run local pool", "", "._all", "[3]", ".log"),
            "app.pool.Session.log",
            ("app.pool.Pool._all",),
        ),
        (("<thread 47 'main'> app:run local pool", "", ".jobs", ".queue"), "app.pool.Pool.jobs.queue", ()),
        (("<thread 47 'main'> app:run local jobs", ".x", "", "", ".y"), "app.pool.Session.y", ()),
        (("<thread 47 'main'> app:run local rows",), "<thread 'main'> app:run local rows", ()),
        (("app", ".STREAM", " <frame app:numbers>.local rows"), "<frame app:numbers>.local rows", ()),
        (("logging", ".table", "[…]", ".handlers"), "queue.Queue.handlers", ("logging.table",)),
        (("asyncio.events._policy", "", "._loop", "._scheduled"), "queue.Queue._scheduled", ()),
        (("threading._active", "[7]", "._locks"), "app.pool.Pool._locks", ("threading._active",)),
        (("logging.root", ".handlers"), "logging.root.handlers", ()),
        (("app", ".f", ".<cache>"), "app.f", ()),
        (("app", ".f", ".<cache>", "[…]"), "app.f.<cache>[…]", ("app.f",)),
        (("app", ".error", *([".tb_next"] * 9)), "app.error.tb_next…", ()),
    ],
)
def test_names(steps: tuple[str, ...], holder: str, chain: tuple[str, ...]) -> None:
    named = path(*steps)
    assert holder_text(named, class_of) == holder
    assert holders_above(named, class_of) == chain


def test_numbers_do_not_depend_on_threads_and_indices() -> None:
    assert stable_number("Thread-3 (run)") == stable_number("Thread-41 (run)")
    assert stable_number("app.A") != stable_number("app.B")


NUMBERS = st.dictionaries(st.integers(0, 2**64 - 1), st.tuples(st.integers(1, 2**40), st.integers(0, 2**40)))
TOLD = st.dictionaries(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


def remembering(numbers: dict[int, tuple[int, int]], told: dict[int, int]) -> Remembered:
    members, entries = (np.array([one[which] for one in numbers.values()], np.int64) for which in (0, 1))
    return remember(np.array(list(numbers), np.uint64), members, entries, told)


@given(NUMBERS, TOLD, st.lists(st.integers(0, 2**64 - 1)))
def test_what_was_counted_is_found_again(
    numbers: dict[int, tuple[int, int]], told: dict[int, int], others: list[int]
) -> None:
    again = unpacked(remembering(numbers, told).packed())
    asked = [*numbers, *others]
    members, entries = again.before(np.array(asked, np.uint64))
    found = zip(members.tolist(), entries.tolist(), strict=True)
    assert list(found) == [numbers.get(one, (0, 0)) for one in asked]
    assert again.keys() == told


@given(st.binary(max_size=200))
def test_anything_else_is_not_believed(data: bytes) -> None:
    again = unpacked(data)
    assert len(again.packed()) <= len(data) + 4


def test_it_stays_small() -> None:
    count = 3 * MOST_COUNTED
    numbers = np.arange(count, dtype=np.uint64)
    entries = np.arange(count, dtype=np.int64)
    kept = remember(numbers, entries, entries, {})
    assert len(kept.packed()) < 1 << 19
    # The largest are kept: what is not found has grown by all that it has, or is too small to matter.
    members, _ = kept.before(numbers[-MOST_COUNTED:])
    assert (members > 0).all()
