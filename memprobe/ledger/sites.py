"""Open descriptors by where they were born, as the report has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from memprobe.abi import BirthHow
from memprobe.ledger.entries import Mark
from memprobe.ledger.handles import OpenHandles
from memprobe.ledger.streams import Integers
from memprobe.vocab.kinds import HandleKind, SocketState
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack

MAX_SITES = 1 << 16
"""Above this many, new sites are counted under the unknown one."""

EXAMPLES = 3
KIND_NAMES = {int(kind): kind.name.lower() for kind in HandleKind}
STATE_NAMES = {int(state): state.name for state in SocketState}
HOWS = max(BirthHow) + 1

Place = tuple[int, int]
"""Stack id and abi.BirthHow."""


class Born(IntEnum):
    """What is known of a birth; lower-case names are those of the report."""

    SEEN = 0
    """With its stack."""

    STACK_NOT_TAKEN = 1
    """It was seen, but its stack was sampled out, shed or lost."""

    INHERITED = 2
    """It was before the attach, or before a fork whose parent was not followed."""

    POLLED = 3
    """Pictures show that it was while births were not observed."""

    MISSED = 4
    """It was not seen, though births were observed: lost, or by a way that the probes do not know."""


@dataclass(slots=True)
class Flow:
    """What has gone through one place since the beginning."""

    opened: int = 0
    """Births of which this stack was taken; at the unknown stack also those without one."""

    opened_weight: int = 0
    """Births that these stand for, where one stack in N is taken."""

    closed: int = 0
    closed_weight: int = 0


@dataclass(frozen=True, slots=True)
class HandleSite:
    """One row of the report's `handles`."""

    kind: str
    open: int
    """Alive now. Where stacks are sampled: how many that stands for."""

    inherited: int
    """How many of them are older than the attach or came with a fork."""

    opened_per_s: float | None
    closed_per_s: float | None
    oldest_s: float | None
    """For an inherited one this is a lower bound."""

    site: tuple[Frame, ...]
    """Innermost first; empty if it is not known."""

    examples: tuple[str, ...]
    """What some of them point to."""

    sampled: bool
    """Whether `open` and the rates are estimates."""

    born: Born = Born.SEEN
    """What is known of their births; SEEN if there is a site."""

    states: tuple[tuple[str, int], ...] = ()
    """Of sockets: how many are in each TCP state, most first, as the last picture showed them."""


class Sites:
    """Counts births and ends by place."""

    def __init__(self) -> None:
        self._flows: dict[Place, Flow] = {}

    def add(self, births: Rows, finished: Rows) -> None:
        """Count a batch's births, and the lifetimes that ended in it."""
        for place, count, weight in by_place(births):
            flow = self._flow(place)
            flow.opened += count
            flow.opened_weight += weight
        for place, count, weight in by_place(finished[(finished["marks"] & Mark.COPIED) == 0]):
            flow = self._flow(place)
            flow.closed += count
            flow.closed_weight += weight

    def stacks(self) -> set[int]:
        """Return the ids of the stacks that are counted."""
        return {stack for stack, _ in self._flows}

    def flow(self, place: Place) -> Flow:
        """Return what has gone through a place."""
        return self._flows.get(place, Flow())

    def flow_of(self, stacks: Collection[int]) -> Flow:
        """Return what has gone through these stacks, whatever was opened there."""
        total = Flow()
        for stack in stacks:
            for how in range(HOWS):
                _add_flow(total, self.flow((stack, how)))
        return total

    def _flow(self, place: Place) -> Flow:
        if place not in self._flows and len(self._flows) >= MAX_SITES:
            place = (0, place[1])
        return self._flows.setdefault(place, Flow())


def by_place(rows: Rows) -> Iterator[tuple[Place, int, int]]:
    """Return rows and weights by place."""
    if not len(rows):
        return
    stacks, stack = np.unique(rows["stack_id"], return_inverse=True)
    place = stack * HOWS + np.minimum(rows["how"], HOWS - 1)
    counts = np.bincount(place)
    weights = np.bincount(place, weights=rows["weight"])
    for one in np.flatnonzero(counts):
        yield (int(stacks[one // HOWS]), int(one % HOWS)), int(counts[one]), int(weights[one])


@dataclass(slots=True)
class _Row:
    """A row of the report in the making: one kind and one site, which may have several stack ids."""

    flow: Flow = field(default_factory=Flow)
    open: int = 0
    weight: int = 0
    unsampled: int = 0
    """Born while one stack in N was taken, and not chosen."""

    inherited: int = 0
    oldest_ns: int | None = None
    examples: list[str] = field(default_factory=list)
    states: Counter[int] = field(default_factory=Counter)


_Key = tuple[int, tuple[Frame, ...], Born]
"""Kind, site, and what is known of the births where the site is not known."""


def summarise(
    handles: OpenHandles, sites: Sites, stacks: Mapping[int, Stack], begin_ns: int, now_ns: int
) -> list[HandleSite]:
    """Return the open descriptors by kind and birth site, most first; rates since `begin_ns`."""
    made: dict[_Key, _Row] = {}
    claimed: set[Place] = set()
    for place, kind, born, rows in sorted(_groups(handles.rows), key=lambda group: -len(group[3])):
        frames = _frames(stacks, place[0])
        row = made.setdefault((kind, frames, _known(born, frames)), _Row())
        _count(row, handles, rows)
        if place not in claimed:  # most of what was opened there is of this kind
            claimed.add(place)
            _add_flow(row.flow, sites.flow(place))
    _take_off_represented(made)
    duration_s = (now_ns - begin_ns) / 1e9
    done = [_done(key, row, duration_s, now_ns) for key, row in made.items()]
    return sorted(filter(_worth_a_row, done), key=lambda site: (-site.open, site.kind, str(site.site)))


def _known(born: Born, frames: tuple[Frame, ...]) -> Born:
    """Say what is known of births at a site; where a stack has an id and no frames, it was lost."""
    return Born.SEEN if frames else (born or Born.STACK_NOT_TAKEN)


def _take_off_represented(made: dict[_Key, _Row]) -> None:
    """Where one stack in N is taken, its weight stands for births that are at the unknown site: not twice."""
    for (kind, frames, _), row in made.items():
        unknown = made.get((kind, (), Born.STACK_NOT_TAKEN))
        if not frames or not unknown:
            continue
        taken = min(unknown.unsampled, row.weight - row.open)
        unknown.unsampled -= taken
        unknown.open -= taken
        unknown.flow.opened -= min(unknown.flow.opened, row.flow.opened_weight - row.flow.opened)
        unknown.flow.closed -= min(unknown.flow.closed, row.flow.closed_weight - row.flow.closed)


def _worth_a_row(site: HandleSite) -> bool:
    return site.open > 0


def _groups(rows: Rows) -> Iterator[tuple[Place, int, Born, Integers]]:
    """Return the rows of each stack, how, kind and way of being born."""
    if not len(rows):
        return
    stacks, stack = np.unique(rows["stack_id"], return_inverse=True)
    group = (stack * HOWS + np.minimum(rows["how"], HOWS - 1)) * 256 + rows["kind"]
    group = group * len(Born) + _births(rows)
    order = np.argsort(group, kind="stable")
    values, starts = np.unique(group[order], return_index=True)
    for value, members in zip(values, np.split(order, starts[1:]), strict=True):
        place_and_kind, born = divmod(int(value), len(Born))
        place, kind = divmod(place_and_kind, 256)
        yield (int(stacks[place // HOWS]), place % HOWS), kind, Born(born), members


def _births(rows: Rows) -> Integers:
    """Return what is known of each birth."""
    marks = rows["marks"]
    born: Integers = np.select(
        [
            rows["stack_id"] != 0,
            (marks & Mark.POLLED) != 0,
            (marks & Mark.MISSED) != 0,
            (marks & (Mark.INHERITED | Mark.COPIED)) != 0,
        ],
        [Born.SEEN, Born.POLLED, Born.MISSED, Born.INHERITED],
        Born.STACK_NOT_TAKEN,
    )
    return born


def _frames(stacks: Mapping[int, Stack], stack_id: int) -> tuple[Frame, ...]:
    return stacks[stack_id].frames if stack_id in stacks else ()


def _count(row: _Row, handles: OpenHandles, members: Integers) -> None:
    entries = handles.rows[members]
    weights = np.maximum(entries["weight"], 1)
    row.open += len(entries)
    row.weight += int(weights.sum())
    row.unsampled += int(np.count_nonzero((entries["weight"] == 0) & (entries["how"] != 0)))
    row.inherited += int(np.count_nonzero(entries["marks"] & (Mark.INHERITED | Mark.COPIED)))
    row.states.update(entries["state"].tolist())
    since = np.where(entries["birth_ns"] != 0, entries["birth_ns"], entries["seen_ns"])
    oldest = int(since.min())
    row.oldest_ns = oldest if row.oldest_ns is None else min(oldest, row.oldest_ns)
    for member in members[np.argsort(since, kind="stable")]:
        if len(row.examples) == EXAMPLES:
            break
        text = handles.text(int(member))
        if text and text not in row.examples:
            row.examples.append(text)


def _add_flow(total: Flow, flow: Flow) -> None:
    total.opened += flow.opened
    total.opened_weight += flow.opened_weight
    total.closed += flow.closed
    total.closed_weight += flow.closed_weight


def _done(key: _Key, row: _Row, duration_s: float, now_ns: int) -> HandleSite:
    """Finish a row; a site's weights count, the unknown site's do not: it has what no stack was taken of.

    Polling does not see how many are born and die: no rates then.
    """
    kind, frames, born = key
    flow = row.flow
    has_rates = duration_s > 0 and born is not Born.POLLED
    opened, closed = (flow.opened_weight, flow.closed_weight) if frames else (flow.opened, flow.closed)
    return HandleSite(
        kind=KIND_NAMES.get(kind, "other"),
        open=row.weight if frames else row.open,
        inherited=row.inherited,
        opened_per_s=opened / duration_s if has_rates else None,
        closed_per_s=closed / duration_s if has_rates else None,
        oldest_s=None if row.oldest_ns is None else max(0, now_ns - row.oldest_ns) / 1e9,
        site=frames,
        examples=tuple(row.examples),
        sampled=row.weight > row.open,
        born=born,
        states=tuple(
            (STATE_NAMES.get(state, "?"), count) for state, count in row.states.most_common() if state
        ),
    )
