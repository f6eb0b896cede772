"""The store as a document and back: all of it or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memprobe.learned import BadDocument, Lessons, Observed, Reported, Said, Store, exported, imported
from memprobe.models.learning.habit import Habit, merged
from memprobe.vocab.sort import Sort

PLACE = Sort("file", ".tmp", "shop/app.py:upload")
VERDICTS = ("false-positive", "confirmed")


def filled(path: Path) -> dict[str, Any]:
    """Fill a store, and return it as a document."""
    habit = Habit(life_s=1.5, runs=2, closed=2).as_json()
    finding = Reported("app.py", "handles-1a2b", "handles", "9 files", PLACE.site, 0.9, 1.7e9)
    with Store(path) as store:
        lessons = Lessons({PLACE: habit}, [Observed(PLACE, 0.5, None, ended=True)], [finding])
        store.learn("app.py", lessons, merged, 1.7e9)
        store.say(Said(".tmp", "confirmed", "sure", 1.7e9))
        found: dict[str, Any] = json.loads(json.dumps(exported(store, "now")))
    return found


def test_an_empty_store_comes_to_the_same(tmp_path: Path) -> None:
    document = filled(tmp_path / "one.sqlite3")
    with Store(tmp_path / "other.sqlite3") as other:
        assert imported(other, document, merged, VERDICTS) == 1
        again = exported(other, "now")
    (program,) = document["programs"]
    assert (len(program.pop("findings")), len(program.pop("observations"))) == (1, 1)
    assert again["opinions"] == document["opinions"]
    assert again["programs"] == [{**program, "findings": [], "observations": []}]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), []),
        ((), None),
        (("schema",), "memprobe.learned/9"),
        (("programs",), {}),
        (("programs", 0), 3),
        (("programs", 0, "runs"), "many"),
        (("programs", 0, "last_s"), -1),
        (("programs", 0, "habits", 0, "state"), {"runs": -1}),
        (("programs", 0, "habits", 0, "state"), None),
        (("programs", 0, "habits", 0, "site"), 7),
        (("programs", 0, "habits", 0, "updated_s"), None),
        (("opinions", 0, "verdict"), "perhaps"),
        (("opinions", 0, "key"), None),
    ],
)
def test_a_damaged_document_is_refused_as_a_whole(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    store_path = tmp_path / "learned.sqlite3"
    document = filled(store_path)
    with Store(store_path) as store:
        before = exported(store, "now")
        with pytest.raises(BadDocument):
            imported(store, changed(document, path, value), merged, VERDICTS)
        assert exported(store, "now") == before


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a document with something else at one place."""
    if not path:
        return value
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document
