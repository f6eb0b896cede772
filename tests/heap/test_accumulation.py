"""Where things pile up, in small trees by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memprobe.heap.accumulation import Piles, find_piles

TOP = 0xFFFF_FFFF


def tree(parents: list[int | None], own: list[int]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
    """The arrays of a tree whose nodes come after their parents."""
    above = np.array([len(parents) if parent is None else parent for parent in parents], np.uint32)
    below = np.array(own, np.uint64)
    for node in reversed(range(len(parents))):
        parent = parents[node]
        if parent is not None:
            below[parent] += below[node]
    return above, below


def piles(parents: list[int | None], own: list[int], most: int = 10) -> list[int]:
    return [int(node) for node in find_piles(*tree(parents, own), most).nodes]


def test_the_container_is_named_and_not_what_leads_to_it() -> None:
    # module 0 -> its dict 1 -> container 2 -> 1000 small objects
    assert piles([None, 0, 1, *[2] * 1000], [10, 10, 10, *[100] * 1000]) == [2]


def test_two_containers_of_one_module_and_the_larger_first() -> None:
    parents: list[int | None] = [None, 0, 0, *[1] * 1000, *[2] * 2000]
    assert piles(parents, [1, 1, 1, *[10] * 3000]) == [2, 1]
    assert piles(parents, [1, 1, 1, *[10] * 3000], most=1) == [2]


def test_a_large_object_is_its_own_pile() -> None:
    assert piles([None, 0, 0], [1, 10_000, 10_000]) == [1, 2]


def test_wrapped_objects_pile_up_in_the_container() -> None:
    # container 0 -> 500 tuples -> one object each
    parents: list[int | None] = [None, *[0] * 500, *range(1, 501)]
    assert piles(parents, [8, *[48] * 500, *[100] * 500]) == [0]


def test_one_object_is_found_however_deep_it_is() -> None:
    above, _ = tree([None, 0, 1, 2, 3], [0] * 5)
    counted = np.array([1, 1, 1, 1, 1], np.uint64)
    assert list(find_piles(above, counted, 5).nodes) == [4]


def test_few_objects_in_one_list_are_one_pile() -> None:
    parents: list[int | None] = [None, 0, *[1] * 50]
    above, _ = tree(parents, [0] * 52)
    counted = np.array([50, 50, *[1] * 50], np.uint64)
    assert list(find_piles(above, counted, 5).nodes) == [1]


def test_what_nothing_leads_to_is_no_pile() -> None:
    above, below = tree([None, 0, 0], [1, 5, 5])
    above[1], below[1] = TOP, 0
    assert 1 not in find_piles(above, below, 5).nodes


def test_the_own_part_leaves_out_what_is_named_itself() -> None:
    parents: list[int | None] = [None, *[0] * 600, 0, *[601] * 300]
    found: Piles = find_piles(*tree(parents, [0, *[10] * 600, 0, *[10] * 300]), 5)
    assert list(found.nodes) == [0, 601]
    assert list(found.own) == [6000, 3000]


def test_nothing_at_all() -> None:
    assert piles([], []) == []
    assert piles([None], [0]) == []
