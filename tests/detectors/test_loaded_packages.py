"""When it is looked what a target has loaded, and what becomes of that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from detectors.test_patterns import found
from memprobe.session import known as session
from memprobe.session.known import LOOK_NS, LoadedPackages, advised
from memprobe.target.cpython.objects import BadObject
from memprobe.vocab.finding import Verdict

TARGET: Any = SimpleNamespace(python=object(), process=SimpleNamespace(folder=None))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for every look."""
    done: list[int] = []

    def packages(*_: object) -> dict[str, str]:
        done.append(1)
        return {"shop": str(len(done))}

    monkeypatch.setattr(session, "loaded", lambda python: None)
    monkeypatch.setattr(session, "packages", packages)
    return done


def test_only_a_new_finding_makes_it_look_and_not_too_often(looks: list[int]) -> None:
    seen = LoadedPackages()
    seen.note(TARGET, [], 0)
    assert not looks
    one, two, three = (found(id=f"caches-{number}") for number in range(3))
    for findings, now_ns, expected in (
        ([one], 1, 1),
        ([one], 9 * LOOK_NS, 1),
        ([one, two], 9 * LOOK_NS + 1, 2),
        ([three], 9 * LOOK_NS + 2, 2),
        ([three], 11 * LOOK_NS, 3),
    ):
        seen.note(TARGET, findings, now_ns)
        assert len(looks) == expected
    assert seen.versions == {"shop": "3"}
    other: Any = SimpleNamespace(python=object(), process=SimpleNamespace(folder=None))
    seen.note(other, [three], 13 * LOOK_NS)
    assert seen.versions == {"shop": "4"}
    seen.close()


def test_what_cannot_be_read_leaves_what_was_seen(looks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = LoadedPackages()
    seen.note(TARGET, [found(id="caches-1")], 1)

    def torn(python: object) -> None:
        raise BadObject("torn")

    monkeypatch.setattr(session, "loaded", torn)
    seen.note(TARGET, [found(id="caches-2")], 2 * LOOK_NS)
    assert seen.versions == {"shop": "1"}
    seen.close()


@pytest.mark.parametrize("packages", [None, 7, ["aiohttp"], {"aiohttp": 3}])
def test_facts_of_a_recording_may_be_damaged_or_old(packages: object) -> None:
    cookies = found(type="http.cookies.SimpleCookie", holder="app.jar._cookies")
    verdict = Verdict((cookies,))
    told = advised(verdict, {"target": {"python": None}, "packages": packages})
    assert told.findings[0].known is None
    told = advised(verdict, {"target": [["python", "3.11.2"]], "packages": {"aiohttp": "3.12.2"}})
    assert told.findings[0].known is not None
    told = advised(verdict, {"packages": {"aiohttp": "3.12.2"}})
    assert told.findings[0].known is not None
