"""Random batches, and whether two are the same."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import strategies as st

from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import Elements, Subject, What

TIMES = st.integers(0, (1 << 63) - 1)
TEXTS = st.text(st.characters(codec=None), max_size=12)
FRAMES = st.builds(Frame, TEXTS, TEXTS, st.integers(0, 1 << 40))
SUBJECTS = st.builds(
    Subject,
    st.sampled_from(What),
    TEXTS,
    TEXTS,
    st.lists(FRAMES, max_size=2).map(tuple),
    TEXTS,
    st.sampled_from(Elements),
    st.none() | TIMES,
    st.lists(TEXTS, max_size=2).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
)
STACKS = st.builds(Stack, st.lists(FRAMES, max_size=5).map(tuple), st.booleans())


def table(dtype: np.dtype[np.void], max_rows: int = 6) -> st.SearchStrategy[Rows]:
    """Rows of random bytes: every number that a field can hold."""

    def filled(data: bytes) -> Rows:
        random = np.frombuffer(data, dtype)
        made = np.zeros(len(random), dtype)
        for name in dtype.names or ():
            made[name] = random[name]
        return made

    size = dtype.itemsize
    return (
        st.integers(0, max_rows)
        .flatmap(lambda n: st.binary(min_size=n * size, max_size=n * size))
        .map(filled)
    )


@st.composite
def _births(draw: st.DrawFn) -> tuple[Rows, bytes]:
    births = draw(table(rows.BIRTH))
    paths = [draw(st.binary(max_size=8)) for _ in births]
    births["path_bytes"] = [len(path) for path in paths]
    return births, b"".join(paths)


@st.composite
def _picture(draw: st.DrawFn) -> Handles:
    shown = draw(table(rows.OPEN_HANDLE))
    texts = tuple(draw(TEXTS) for _ in shown)
    return Handles(draw(st.integers(0, (1 << 32) - 1)), draw(TIMES), draw(TIMES), shown, texts)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Any batch."""
    births, paths = draw(_births())
    return Batch(
        source=draw(TEXTS),
        begin_ns=draw(TIMES),
        end_ns=draw(TIMES),
        drained_ns=draw(st.none() | TIMES),
        births=births,
        paths=paths,
        deaths=draw(table(rows.DEATH)),
        processes=draw(table(rows.PROCESS)),
        tables=draw(table(rows.TABLE, 2)),
        collections=draw(table(rows.COLLECTION)),
        growth=draw(table(rows.GROWTH)),
        stacks=draw(st.dictionaries(st.integers(1, (1 << 64) - 1), STACKS, max_size=3)),
        handles=tuple(draw(st.lists(_picture(), max_size=2))),
        samples=draw(table(rows.SAMPLE, 2)),
        populations=draw(table(rows.POPULATION)),
        looks=draw(table(rows.LOOK)),
        watches=draw(table(rows.WATCH)),
        changes=draw(table(rows.CHANGE)),
        subjects=draw(st.dictionaries(st.integers(1, (1 << 64) - 1), SUBJECTS, max_size=3)),
        losses=draw(st.dictionaries(TEXTS, st.integers(0, 1 << 62), max_size=3)),
        invisible=tuple(draw(st.lists(TEXTS, max_size=2))),
    )


def same(one: object, other: object) -> bool:
    """Whether two batches, or what they are made of, say exactly the same."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, Batch | Handles):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other
