"""The order of shedding is the one that is promised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memprobe.governor.ladder import ladder, sentence, settings, turns
from memprobe.vocab.knobs import ALL, NOTHING, SHARES, Knob, Turn

ORDER = [
    Knob.BURSTS,
    Knob.BLAME,
    Knob.GROWTH_STACKS,
    Knob.HANDLE_STACKS,
    Knob.SNAPSHOTS,
    Knob.MEMORY_PROBES,
    Knob.SYSCALL_PROBES,
]
knobs = st.frozensets(st.sampled_from(Knob))


def test_the_order_of_the_design() -> None:
    assert list(dict.fromkeys(rung.knob for rung in ladder(Knob))) == ORDER


@given(knobs)
def test_a_ladder_has_the_knobs_that_are_there(present: frozenset[Knob]) -> None:
    assert [rung.knob for rung in ladder(present)] == [k for k in ORDER if k in present for _ in SHARES[k]]


@given(st.integers(0, 12))
def test_a_knob_turns_only_after_those_before_it(shed: int) -> None:
    where = settings(ladder(Knob), shed)
    turned = [knob for knob in ORDER if where[knob] != ALL]
    assert turned == ORDER[: len(turned)]
    assert all(where[knob] == SHARES[knob][-1] for knob in turned[:-1])


@given(st.integers(0, 12), st.integers(0, 12))
def test_turns_lead_from_one_position_to_the_other(before: int, after: int) -> None:
    rungs = ladder(Knob)
    where = settings(rungs, before)
    where.update({turn.knob: turn.one_in for turn in turns(rungs, before, after)})
    assert where == settings(rungs, after)


def test_in_an_emergency_the_dearest_goes_first() -> None:
    rungs = ladder(Knob)
    assert turns(rungs, 0, len(rungs))[0] == Turn(Knob.SYSCALL_PROBES, NOTHING)


def test_every_rung_has_a_sentence() -> None:
    assert all(sentence(rung) for rung in ladder(Knob))
