"""The lifetimes of descriptors by what sort of thing they are: those that ended, and those that go on.

They are sorted once a second, when the target is sampled: how they were cut into batches does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.ledger import Ledger
from memprobe.ledger.entries import FINISHED, End, Mark
from memprobe.ledger.extensions import NOT_NAMED, extension_text
from memprobe.ledger.folding import Flags, joined
from memprobe.ledger.handles import OpenHandles
from memprobe.ledger.sites import KIND_NAMES
from memprobe.models.age import Curve
from memprobe.models.sketch import buckets
from memprobe.vocab.kinds import HandleKind
from memprobe.vocab.rows import Rows, no_rows
from memprobe.vocab.sort import Sort, common_group, site_of

LIMIT = 8192
"""Of one second's ends, and of what is open, so many are looked at, evenly chosen: they stand for all."""

LAST = 1000
"""So many of the last ends are remembered one by one."""

MAX_SITES = 4096
"""Above this many, the sites of new stacks count as unknown."""

MAX_SORTS = 4096
"""Above this many, what is of a new sort counts for the wider ones only: a target makes up extensions."""

SIZED = 256
"""Of so many of each sort, and in each second, the size is noted."""

EXAMPLES = 8
"""Texts by which the peers of a place are told."""

_KEY = np.dtype([("stack_id", "<u8"), ("extension", "<u8"), ("kind", "<u8")])
_ENDS = np.array([End.CLOSED, End.REPLACED, End.MISSED])
ENDED, ALIVE, ENTERED = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Lifetimes as columns."""

    keys: Rows
    ages_s: npt.NDArray[np.float64]
    entered_s: npt.NDArray[np.float64]
    """Their age when they came under observation; 0 if their birth was seen."""

    ended: Flags


class Lifetimes(Mapping[Sort, Curve]):
    """Survival by sort, and by every sort that this one belongs to."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self.uptime_s: float | None = None
        """How old the process was at the attach; None: not known, and what is older is left out."""

        self._waiting: list[Rows] = []
        self._ended: dict[Sort, Curve] = {}
        self._alive: dict[Sort, Curve] = {}
        self._uncounted: tuple[Seen, float, Ledger] | None = None
        """What is open, not yet sorted into `_alive`."""

        self._sites: dict[int, str] = {}
        self._peers: dict[int, str] = {}
        self.sizes: dict[Sort, list[tuple[int, float]]] = {}
        """Size and age of files that were closed, of each sort the first."""

        self.last: Rows = no_rows(FINISHED)
        """The last that ended."""

    def __getitem__(self, sort: Sort) -> Curve:
        ended, going_on = self._ended.get(sort), self._open.get(sort)
        if ended is None or going_on is None:
            found = ended or going_on
            if found is None:
                raise KeyError(sort)
            return found
        return ended + going_on

    def __iter__(self) -> Iterator[Sort]:
        return iter(dict.fromkeys((*self._ended, *self._open)))

    def __len__(self) -> int:
        return len(self._ended.keys() | self._open.keys())

    def going_on(self, sort: Sort) -> Curve:
        """Return the ages of those that are open."""
        return self._open.get(sort, Curve())

    def add(self, finished: Rows) -> None:
        """Remember lifetimes that have ended, to be sorted with the next `sort_out`."""
        if len(finished):
            self._waiting.append(finished)

    def sort_out(self, ledger: Ledger, now_ns: int) -> None:
        """Sort what has ended since, and what is open now."""
        finished = joined(FINISHED, *self._waiting)
        self._waiting = []
        handles = ledger.handles.open(self._pid)
        which = np.arange(0, len(handles.rows), 1 + len(handles.rows) // LIMIT)
        self._note_peers(handles, which)
        if len(finished):
            self._sort_ended(finished, ledger)
        opened = handles.rows[which]
        keys = _keys(opened, ledger.handles.extensions(opened))
        seen = self._seen(opened, keys, now_ns, np.zeros(len(opened), bool), ledger)
        self._uncounted = seen, len(handles.rows) / max(1, len(opened)), ledger

    def sort_of(self, stack_id: int, extension: int, kind: int, ledger: Ledger) -> Sort:
        """Return the sort of what has this stack, extension and kind."""
        group = self._peers.get(stack_id, "") if kind == HandleKind.SOCKET else extension_text(extension)
        return Sort(KIND_NAMES.get(kind, "other"), group, self._site(stack_id, ledger))

    @property
    def _open(self) -> dict[Sort, Curve]:
        """The curves of what is open: made when somebody asks, which is at a verdict and not every second."""
        if self._uncounted is not None:
            self._alive = {}
            self._count(self._alive, *self._uncounted)
            self._uncounted = None
        return self._alive

    def _sort_ended(self, finished: Rows, ledger: Ledger) -> None:
        told = ((finished["marks"] & Mark.COPIED) == 0) & (finished["extension"] != NOT_NAMED)
        told &= finished["end"] != End.NEVER
        if self._pid is not None:
            told &= finished["pid"] == self._pid
        own = finished[told]
        self.last = joined(FINISHED, self.last, own[-LAST:])[-LAST:]
        chosen = own[:: 1 + len(own) // LIMIT]
        keys = _keys(chosen, chosen["extension"])
        seen = self._seen(chosen, keys, chosen["end_ns"], np.isin(chosen["end"], _ENDS), ledger)
        self._count(self._ended, seen, len(own) / max(1, len(chosen)), ledger)
        self._note_sizes(chosen[(chosen["size_bytes"] != 0) & (chosen["birth_ns"] != 0)], ledger)

    def _note_sizes(self, sized: Rows, ledger: Ledger) -> None:
        names = ("stack_id", "extension", "kind", "size_bytes", "birth_ns", "end_ns")
        for stack_id, extension, kind, size_bytes, birth_ns, end_ns in sized[list(names)][:SIZED].tolist():
            for width in self.sort_of(stack_id, extension, kind, ledger).widths:
                if width in self._ended and len(self.sizes.setdefault(width, [])) < SIZED:
                    self.sizes[width].append((size_bytes, (end_ns - birth_ns) / 1e9))

    def _seen(self, rows: Rows, keys: Rows, end_ns: object, ended: Flags, ledger: Ledger) -> Seen:
        """Tell ages; what was there before the attach is taken to be as old as the process then was."""
        since_ns = np.where(rows["birth_ns"] != 0, rows["birth_ns"], rows["seen_ns"]).astype(np.int64)
        ages = np.maximum(np.asarray(end_ns, np.uint64).astype(np.int64) - since_ns, 0) / 1e9
        inherited = (rows["marks"] & Mark.INHERITED) != 0
        known = ~inherited | (self.uptime_s is not None)
        known &= (rows["marks"] & Mark.COPIED) == 0
        earlier = (since_ns - (ledger.begin_ns or 0)) / 1e9 + (self.uptime_s or 0.0)
        entered = np.where(inherited, np.maximum(earlier, 1e-3), 0.0)
        ages = ages + entered
        return Seen(keys[known], ages[known], entered[known], ended[known])

    def _count(self, curves: dict[Sort, Curve], seen: Seen, weight: float, ledger: Ledger) -> None:
        """Add lifetimes, of which each stands for `weight`."""
        if not len(seen.keys):
            return
        found, which = np.unique(seen.keys, return_inverse=True)
        sorts = [self.sort_of(stack, extension, kind, ledger) for stack, extension, kind in found.tolist()]
        last, entered = buckets(seen.ages_s), buckets(seen.entered_s)
        late = seen.entered_s > 0
        told = ~late | (entered < last)
        fates = np.where(seen.ended, ENDED, ALIVE)
        for fate, place, chosen in ((fates, last, told), (np.full(len(late), ENTERED), entered, late & told)):
            for sort, what, bucket, count in _combined(which[chosen], fate[chosen], place[chosen]):
                for width in sorts[sort].widths:
                    curve = curves.get(width)
                    if curve is None:
                        if len(curves) >= MAX_SORTS:
                            continue
                        curve = curves[width] = Curve()
                    sketch = (curve.ended, curve.alive, curve.entered)[what]
                    sketch.count(bucket, count * weight)

    def _site(self, stack_id: int, ledger: Ledger) -> str:
        if stack_id not in self._sites:
            if len(self._sites) >= MAX_SITES:
                return ""
            stack = ledger.stacks.get(stack_id)
            self._sites[stack_id] = site_of(stack.frames) if stack else ""
        return self._sites[stack_id]

    def _note_peers(self, handles: OpenHandles, which: npt.NDArray[np.int64]) -> None:
        """Learn from what is open whom the sockets of a place talk to."""
        rows = handles.rows[which]
        sockets = which[(rows["kind"] == HandleKind.SOCKET) & (rows["text_bytes"] != 0)]
        stacks = handles.rows["stack_id"][sockets]
        for stack_id in np.unique(stacks).tolist():
            if stack_id not in self._peers and len(self._peers) < MAX_SITES:
                texts = [handles.text(row) for row in sockets[stacks == stack_id][:EXAMPLES].tolist()]
                self._peers[stack_id] = common_group("socket", texts)


def _keys(rows: Rows, extensions: npt.NDArray[np.uint64]) -> Rows:
    keys = np.zeros(len(rows), _KEY)
    keys["stack_id"], keys["extension"], keys["kind"] = rows["stack_id"], extensions, rows["kind"]
    return keys


def _combined(
    sort: npt.NDArray[np.int64], fate: npt.NDArray[np.int64], bucket: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int, int, int]]:
    """Return how many have the same sort, fate and bucket."""
    if not len(sort):
        return
    lowest, span = int(bucket.min()), int(np.ptp(bucket)) + 1
    combined, counts = np.unique((sort * 3 + fate) * span + (bucket - lowest), return_counts=True)
    for value, count in zip(combined.tolist(), counts.tolist(), strict=True):
        sort_and_fate, place = divmod(value, span)
        yield sort_and_fate // 3, sort_and_fate % 3, place + lowest, count
