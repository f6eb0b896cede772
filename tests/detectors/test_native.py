"""Memory that no Python object explains, and objects that only native code holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.stories import BLOCKS, C_THREAD, FILE, MIB, OBJECTS, OTHER_LINE, Story
from memprobe.vocab.finding import Kind
from memprobe.vocab.subject import ALL_COUNTED, Subject, What

WATCHED_S = 26
RESIDENT = 100 * MIB
PER_S = 400_000

Course = Callable[[int], int]
"""Bytes by second."""


def steady(second: int) -> int:
    return PER_S * second


def loading(second: int) -> int:
    return min(second, 5) * 4 * MIB


def still(_: int) -> int:
    return 0


def nothing(_: int) -> dict[Subject, tuple[int, int]]:
    return {}


def run(
    resident: Course = steady,
    objects: Course = still,
    arena_free: Course = still,
    blocks: Course = still,
    *,
    more: Callable[[int], dict[Subject, tuple[int, int]]] = nothing,
    mapped: int = 0,
) -> Story:
    """`mapped` is what each second maps at another line."""
    story = Story()
    story.attach()
    for second in range(WATCHED_S):
        anonymous = RESIDENT + resident(second)
        story.numbers |= {"rss_bytes": anonymous + MIB, "rss_anonymous_bytes": anonymous}
        story.numbers |= {"mmap_bytes": MIB + (resident(second) if mapped else 0)}
        story.mapped_at = {OTHER_LINE: mapped} if mapped else {}
        story.numbers |= {"arena_free_bytes": MIB + arena_free(second)}
        own = {OBJECTS: RESIDENT // 2 + objects(second), BLOCKS: MIB + blocks(second)}
        story.heap = {one: (size, size) for one, size in own.items()} | more(second)
        story.grown_at = {FILE: 300_000, OTHER_LINE: 50_000, C_THREAD: 900_000}
        story.tell()
    return story


def test_memory_without_objects_is_told_by_the_line_below_which_it_grows() -> None:
    (found,) = run().sure()
    assert found.kind is Kind.NATIVE
    assert found.site[0].function == "Store.load"
    assert found.bytes_per_s == pytest.approx(PER_S, rel=0.05)
    assert "store.py:12" in found.title
    assert "391 kB every second" in found.title


def test_mappings_are_told_by_the_line_that_makes_them() -> None:
    """More may be touched elsewhere, by objects; a reserve, of which little is touched, tells nothing."""
    (found,) = run(mapped=PER_S).sure()
    assert found.site[0].function == "Other.run"
    (found,) = run(mapped=100 * PER_S).sure()
    assert found.site[0].function == "Store.load"


def test_buffers_in_pythons_own_allocator_are_told_so() -> None:
    (plain,) = run().sure()
    (found,) = run(blocks=steady).sure()
    assert found.confidence > plain.confidence
    assert any("hold no object" in sentence for sentence in found.evidence)


@pytest.mark.parametrize(
    "explained",
    [(steady, steady), (steady, still, steady), (still,), (lambda second: 40_000 * second,)],
    ids=["objects", "fragmentation", "nothing", "creeping"],
)
def test_what_is_explained_or_small_is_no_native_leak(explained: tuple[Course, ...]) -> None:
    assert run(*explained).sure() == []


def test_memory_that_was_taken_once_is_no_leak() -> None:
    assert run(resident=lambda second: 40 * MIB * (second > 8)).sure() == []


def test_memory_that_objects_of_a_growing_collection_own_is_theirs() -> None:
    files = Subject(What.CONTAINER, "app.Image", "app.IMAGES")
    story = run(more=lambda second: {files: (50 * second, 5_000 * second)})
    assert Kind.NATIVE not in {one.kind for one in story.findings()}


def test_what_takes_no_memory_beside_its_own_does_not_explain_any() -> None:
    """A leak of plain objects hides none of C beside it, though nobody knows its line."""
    rows = Subject(What.CONTAINER, "app.Row", "app.ROWS")
    row = Subject(What.TYPE, "app.Row", notes=(ALL_COUNTED,))
    story = run(more=lambda second: dict.fromkeys((rows, row), (100 * second, 10_000 * second)))
    assert Kind.NATIVE in {one.kind for one in story.sure()}
    image = Subject(What.TYPE, "app.Image")
    story = run(
        more=lambda second: dict.fromkeys((rows, row, image), (100 * second, 10_000 * second)),
    )
    assert Kind.NATIVE not in {one.kind for one in story.findings()}


def test_what_comes_with_files_whose_line_is_known_is_made_there() -> None:
    """Their writers do not explain what another line takes; objects of an extension may."""

    def beside(kind: str, each: int) -> set[Kind]:
        story = Story()
        story.attach()
        grown = Subject(What.TYPE, kind)
        for second in range(WATCHED_S):
            anonymous = RESIDENT + steady(second)
            story.open(FILE, 5)
            story.numbers |= {"rss_bytes": anonymous + MIB, "rss_anonymous_bytes": anonymous}
            story.heap = {OBJECTS: (RESIDENT // 2,) * 2, BLOCKS: (MIB,) * 2}
            story.heap[grown] = (each * second,) * 2
            story.grown_at = {OTHER_LINE: 300_000}
            story.tell()
        return {one.kind for one in story.findings()}

    assert Kind.NATIVE in beside("_io.BufferedWriter", 5)
    assert Kind.NATIVE not in beside("_io.BufferedWriter", 17)
    assert Kind.NATIVE not in beside("app.Image", 5)


def test_objects_that_only_native_code_holds() -> None:
    lost = Subject(What.UNHELD, "datetime.timedelta")
    (found,) = run(objects=steady, more=lambda s: {lost: (30 + 10_000 * s, 400_000 * s)}).sure()
    assert (found.kind, found.type, found.holder) == (Kind.NATIVE, "datetime.timedelta", "<native code>")
    assert found.site[0].function == "Store.load"
    assert "Py_DECREF" in found.suggested_fix


def test_a_few_of_them_that_come_and_go_are_none() -> None:
    lost = Subject(What.UNHELD, "int")
    story = run(objects=steady, more=lambda s: {lost: (120 + s % 3, 4000)})
    assert story.sure() == []


def test_those_that_came_while_their_holder_was_read_are_none() -> None:
    """A look takes longer and longer, and more of what is put into a cache meanwhile seems to be lost."""
    lost, text = Subject(What.UNHELD, "str"), Subject(What.TYPE, "str")
    story = run(objects=steady, more=lambda s: {lost: (40 * s, 4000 * s), text: (200 * s, 20_000 * s)})
    assert Kind.NATIVE not in {one.kind for one in story.findings()}
    story = run(objects=steady, more=lambda s: {lost: (40 * s, 4000 * s), text: (40 * s, 4000 * s)})
    assert Kind.NATIVE in {one.kind for one in story.findings()}


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ((steady,), "leak"),
        ((still,), "steady"),
        ((still, still, lambda _: 60 * MIB), "fragmentation"),
        ((steady, still, steady), "fragmentation"),
        ((loading, loading), "warm-up"),
        ((steady, steady), "growing"),
    ],
)
def test_the_memory_in_one_word(told: tuple[Course, ...], word: str) -> None:
    verdict = run(*told).verdicts.verdict
    assert verdict.memory == word
    assert verdict.memory_why is not None


def test_of_two_leaks_the_word_on_memory_names_both() -> None:
    cache = Subject(What.CONTAINER, "app.Row", "app.rows")

    def why(bytes_per_s: int) -> str:
        story = run(
            objects=lambda second: bytes_per_s * second,
            more=lambda second: {cache: (2000 + 100 * second, bytes_per_s * second)},
        )
        return story.verdicts.verdict.memory_why or ""

    both = why(PER_S * 2 // 5)
    assert "no Python object explains" in both
    assert "app.rows" in both
    assert "store.py:12" in both
    native = why(PER_S // 20)
    assert "no Python object explains" in native
    assert "app.rows" not in native
    objects = why(PER_S)
    assert "no Python object explains" not in objects
    assert "app.rows" in objects


def test_a_small_leak_beside_a_large_warm_up_does_not_make_the_memory_a_leak() -> None:
    cache = Subject(What.CONTAINER, "app.Row", "app.rows")
    story = run(loading, loading, more=lambda s: {cache: (2000 + 100 * s, 100_000 + 5000 * s)})
    assert [one.holder for one in story.sure()] == ["app.rows"]
    assert story.verdicts.verdict.memory == "warm-up"


def test_a_collection_with_a_limit_is_a_bounded_cache() -> None:
    cache = Subject(What.CONTAINER, "app.Row", "app.rows", limit=2000)
    story = run(objects=steady, more=lambda s: {cache: (min(2000, 100 * s), 400_000 * s)})
    assert story.verdicts.verdict.memory == "bounded cache"
    assert "at most 2,000" in (story.verdicts.verdict.memory_why or "")
