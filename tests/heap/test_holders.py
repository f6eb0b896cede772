"""Who holds the objects of a type: groups, what they retain, who refers to them, what nobody can explain."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from heap_looks.holding_in import Look, hoard_folder, looked_into
from memprobe.heap.holders import GARBAGE, Holder, generalised
from pythons import Interpreter

HELD = {
    "__main__.CACHE[…]": 400,
    "__main__.WRAPPED[…][…]": 100,
    "__main__.Store.recent[…]": 50,
    "__main__.PARTIALS[…].args[…]": 30,
    "<thread N 'worker'> __main__:wait local mine[…]": 20,
    "<native code>": 12,
}


@pytest.fixture(scope="module")
def sessions(interpreter: Interpreter, targets: Path) -> Iterator[Look]:
    hoard = str(interpreter.path_inside(hoard_folder()))
    with interpreter.spawn(targets / "sessions.py", hoard) as target, looked_into(target.pid) as look:
        yield look


def type_address(look: Look, name: str) -> int:
    kinds = (int(kind) for kind in look.graph.type_addresses)
    (found,) = (kind for kind in kinds if look.holders.members.type_name(kind) == name)
    return found


def holders(look: Look) -> dict[str, Holder]:
    found = look.holders.of_type(type_address(look, "Session"))
    return {re.sub(r"thread \d+", "thread N", one.path): one for one in found}


def test_every_object_is_in_one_group(sessions: Look) -> None:
    assert {path: one.objects for path, one in holders(sessions).items()} == HELD


def test_what_they_retain(sessions: Look) -> None:
    found = holders(sessions)
    retained = sessions.holders.holding.retained
    nodes = sessions.graph.of_type(type_address(sessions, "Session"))
    assert sum(one.retained_bytes for one in found.values()) == int(retained[nodes].sum())
    # 400 with 1,000 bytes each, and what an instance and a bytearray cost.
    assert 400 * 1000 < found["__main__.CACHE[…]"].retained_bytes < 400 * 3000
    assert next(iter(found)) == "__main__.CACHE[…]"


def test_who_refers_to_them(sessions: Look) -> None:
    graph = sessions.graph
    found = sessions.holders.holding.referrers(graph.of_type(type_address(sessions, "Session")))
    names = Counter(sessions.holders.members.type_name(graph.type_address(int(node))) for node in found)
    assert names == {"dict": 500, "list": 70, "tuple": 30}


def test_forgotten_references(sessions: Look) -> None:
    found = {one.type_address: one for one in sessions.holders.unexplained()}
    one = found[type_address(sessions, "Session")]
    assert (one.objects, one.references, one.unheld, one.path) == (12, 12, 12, "<native code>")
    assert one.retained_bytes > 12 * 56


def test_an_extra_reference_to_what_is_held(interpreter: Interpreter, targets: Path) -> None:
    hoard = str(interpreter.path_inside(hoard_folder()))
    with (
        interpreter.spawn(targets / "forgotten.py", hoard) as target,
        looked_into(target.pid) as look,
    ):
        truth = {int(address): extra for address, extra in json.loads(target.ready).items()}
        unexplained = look.holders.holding.unexplained
        nodes = {address: look.graph.node(address) for address in truth}
        assert {address: int(unexplained[node]) for address, node in nodes.items()} == truth
        found = {one.type_address: one for one in look.holders.unexplained()}
        one = found[type_address(look, "Thing")]
    assert (one.objects, one.references, one.unheld) == (3, 1 + 5 + 1000, 0)
    assert one.path == "__main__.THINGS[3]"


def test_ways_agree_with_distances(sessions: Look) -> None:
    holding = sessions.holders.holding
    step = max(1, len(sessions.graph) // 300)
    for node in range(0, len(sessions.graph), step):
        way = holding.way(node)
        assert bool(way) == bool(holding.is_held()[node])
        for above, below in pairwise(way):
            assert below in sessions.graph.referents(above)
        assert not way or way[-1] == node


def test_indices_go_but_names_stay() -> None:
    assert generalised("app.x[3].y2[10].<thread 4>") == "app.x[…].y2[…].<thread 4>"


def test_referrers_of_nothing(sessions: Look) -> None:
    assert len(sessions.holders.holding.referrers(np.empty(0, np.int64))) == 0
    assert sessions.holders.of_objects(np.empty(0, np.int64)) == []


@pytest.fixture(scope="module")
def deep(interpreter: Interpreter, targets: Path) -> Iterator[tuple[Look, list[int]]]:
    with interpreter.spawn(targets / "deep_and_wide.py") as target, looked_into(target.pid) as look:
        yield look, json.loads(target.ready)


def test_a_deep_path_is_told_without_its_middle(deep: tuple[Look, list[int]]) -> None:
    look, (last, _) = deep
    path = look.path(last)
    # 100,000 links, of which 20 and 10 are named; the namespace of the module comes before them.
    assert path == f"__main__.chain{'.next' * 19} … 99971 objects … {'.next' * 10}"


def test_a_dict_too_large_to_search_still_has_a_path(deep: tuple[Look, list[int]]) -> None:
    look, (_, value) = deep
    assert look.path(value) == "__main__.LARGE[…]"


def test_no_object_is_left_out(deep: tuple[Look, list[int]]) -> None:
    look, _ = deep
    scattered = look.holders.of_type(type_address(look, "Scattered"))
    assert {one.path: one.objects for one in scattered} == {"__main__.*": 500, "__main__.LARGE[…]": 1}


def test_garbage_is_held_by_nothing(deep: tuple[Look, list[int]]) -> None:
    look, _ = deep
    (one,) = look.holders.of_type(type_address(look, "Cycle"))
    assert (one.path, one.objects) == (GARBAGE, 7)
    assert one.retained_bytes >= 7 * 32
