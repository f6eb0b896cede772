"""What has failed is tried again, later each time, and not for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from memprobe.errors import NoKernelSupport, TargetExited
from memprobe.sources.kernel import mutators as module
from memprobe.sources.kernel.attempts import FIRST_PAUSE_S, MOST, Attempts
from memprobe.sources.kernel.mutators import Mutators
from memprobe.target.binary.elf import BadElf
from memprobe.vocab.bursts import Looked

DICT, LIST = 0x1000, 0x2000


class Searching:
    """Places are looked for in vain until somebody says otherwise; time goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.looked_for: list[int] = []
        self.error: Exception | None = BadElf("the reading process ended without an answer")
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(module, "read_mappings", lambda _: ())
        monkeypatch.setattr(module, "loaded_files", lambda *_: [])
        monkeypatch.setattr(module, "find_mutators", self._find)
        programs: Any = SimpleNamespace(load_late=lambda _: False)
        nobody: Any = None
        self.mutators = Mutators(programs, nobody, nobody, nobody)

    def _find(self, *arguments: Any) -> list[Any]:
        self.looked_for.append(arguments[-1])
        if self.error is not None:
            raise self.error
        return []

    def look(self, *types: int) -> None:
        looked = [Looked(one, one + 16) for one in types]
        assert self.mutators.window(looked, 0.1, 100) is None


@pytest.fixture
def searching(monkeypatch: pytest.MonkeyPatch) -> Searching:
    return Searching(monkeypatch)


def test_places_that_were_not_found_are_looked_for_again(searching: Searching) -> None:
    searching.look(DICT)
    searching.look(DICT)
    assert searching.looked_for == [DICT], "not at once"
    assert "without an answer" in searching.mutators.reasons[DICT]
    searching.now_s += FIRST_PAUSE_S
    searching.look(LIST, DICT)
    assert searching.looked_for == [DICT, LIST, DICT]


def test_found_later_they_are_known(searching: Searching, monkeypatch: pytest.MonkeyPatch) -> None:
    searching.look(DICT)
    searching.error = None
    monkeypatch.setattr(Mutators, "_found", lambda *_: iter(["a trap"]))
    searching.now_s += FIRST_PAUSE_S
    with pytest.raises(NoKernelSupport, match="mutators"):  # it goes on: and loads the program
        searching.look(DICT)
    assert searching.mutators.reasons == {}


def test_they_are_not_looked_for_for_ever(searching: Searching) -> None:
    for _ in range(10 * MOST):
        searching.look(DICT)
        searching.now_s += 3600
    assert searching.looked_for == [DICT] * MOST
    assert DICT in searching.mutators.reasons


def test_of_a_target_that_is_gone_nothing_is_noted(searching: Searching) -> None:
    searching.error = TargetExited("process 1 has ended")
    for _ in range(2):
        with pytest.raises(TargetExited):
            searching.look(DICT)
    assert searching.mutators.reasons == {}


def test_pauses_grow() -> None:
    attempts, due = Attempts(), []
    for second in range(1000):
        if attempts.is_due("this", second):
            due.append(second)
            attempts.failed("this", second)
    assert due == [0, 10, 30, 70, 150]
    assert attempts.is_due("that", 0)
