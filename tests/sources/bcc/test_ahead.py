"""What a run may want later is compiled before it begins: nobody empties the ring while a compiler works."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from memprobe.errors import NoKernelSupport
from memprobe.sources.bcc import kit as kits
from memprobe.sources.bcc.finding import KernelLayout
from memprobe.sources.bcc.headers import Headers
from memprobe.sources.bcc.kit import CompiledHere
from memprobe.sources.kernel.kit import Precompiled
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import LATE, programs


class Compiler:
    """Compiles all but what is broken, and writes down what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.broken: set[str] = set()
        headers = Headers(Path("/"), Path("/"), "")
        monkeypatch.setattr(kits, "_images", {})
        monkeypatch.setattr(kits, "find_headers", lambda _: headers)
        monkeypatch.setattr(kits, "compiler_flags", lambda _: ())
        monkeypatch.setattr(kits, "compiled", self._compiled)
        monkeypatch.setattr(CompiledHere, "_layout", lambda *_: KernelLayout({}, 0, ()))

    def _compiled(self, sources: Mapping[str, str], *_: object) -> dict[str, bytes]:
        self.asked += sources
        if self.broken.intersection(sources):
            raise NoKernelSupport("bcc cannot compile it")
        return dict.fromkeys(sources, b"")


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    return Compiler(monkeypatch)


def test_it_is_compiled_once(compiler: Compiler) -> None:
    CompiledHere().prepare(["processes"], later=["watch"])
    assert compiler.asked == ["processes", "watch"]
    CompiledHere().prepare(["watch"])
    assert compiler.asked == ["processes", "watch"]


def test_what_may_never_be_wanted_refuses_no_run(compiler: Compiler) -> None:
    compiler.broken = {"watch"}
    CompiledHere().prepare(["processes"], later=["watch"])
    with pytest.raises(NoKernelSupport):
        CompiledHere().prepare(["watch"])
    compiler.broken = {"handles"}
    with pytest.raises(NoKernelSupport):
        CompiledHere().prepare(["handles"])


def test_a_run_asks_for_all_that_it_may_want(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []

    def prepare(_: Precompiled, names: tuple[str, ...], later: frozenset[str]) -> None:
        asked.extend((set(names), set(later)))
        raise NoKernelSupport("that is all")

    monkeypatch.setattr(Precompiled, "prepare", prepare)
    with pytest.raises(NoKernelSupport, match="that is all"):
        Programs(KernelOptions()).load()
    at_once, later = asked
    assert at_once | later == {row.object for row in programs()}
    assert later == LATE
