"""What a survey keeps for the next one: few bytes, whatever the size of the heap."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from memprobe.vocab.rows import Rows, no_rows

COUNTED = np.dtype([("number", "<u8"), ("members", "<u8"), ("entries", "<u8")])
"""A place or a type: how many collections or objects there are, and with how many entries or bytes."""

TOLD = np.dtype([("identity", "<u8"), ("key", "<u8")])
"""What was told of: the address of a collection or the number of its place, and the key that it has."""

MOST_COUNTED = 20_000
"""Those with most are remembered; of what is new at the next look, so much is certainly growth."""

MOST_TOLD = 1_000
_HEADER = 4
_PART = 1 << 31


@dataclass(frozen=True, slots=True)
class Remembered:
    """The numbers of the survey before, in order of `number` and `identity`."""

    counted: Rows = field(default_factory=lambda: no_rows(COUNTED))
    told: Rows = field(default_factory=lambda: no_rows(TOLD))
    is_of_part: bool = False
    """Whether collections were looked for in a part of the heap only."""

    @property
    def is_empty(self) -> bool:
        """Whether there was no survey before."""
        return not len(self.counted)

    def before(self, numbers: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return members and entries of then; 0 of what was not there, or too small to be remembered."""
        if self.is_empty:
            nothing = np.zeros(len(numbers), np.int64)
            return nothing, nothing
        known = self.counted["number"]
        places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        found = known[places] == numbers
        members, entries = (self.counted[name][places].astype(np.int64) for name in ("members", "entries"))
        return np.where(found, members, 0), np.where(found, entries, 0)

    def keys(self) -> dict[int, int]:
        """The keys of what was told of."""
        return dict(zip(self.told["identity"].tolist(), self.told["key"].tolist(), strict=True))

    def packed(self) -> bytes:
        """Return it as bytes."""
        size = (len(self.counted) | self.is_of_part * _PART).to_bytes(_HEADER, "little")
        return size + self.counted.tobytes() + self.told.tobytes()


def remember(
    numbers: npt.NDArray[np.uint64],
    members: npt.NDArray[np.int64],
    entries: npt.NDArray[np.int64],
    told: dict[int, int],
    *,
    is_of_part: bool = False,
) -> Remembered:
    """Keep what has most entries."""
    most = np.sort(np.argsort(-entries, kind="stable")[:MOST_COUNTED])
    counted = np.empty(len(most), COUNTED)
    counted["number"], counted["members"], counted["entries"] = numbers[most], members[most], entries[most]
    counted.sort(order="number")
    return Remembered(counted, np.array(sorted(told.items())[:MOST_TOLD], TOLD), is_of_part)


def unpacked(data: bytes) -> Remembered:
    """Undo `packed`; nothing is remembered of anything else."""
    header = int.from_bytes(data[:_HEADER], "little")
    count = header & ~_PART
    middle = _HEADER + count * COUNTED.itemsize
    if len(data) < middle or (len(data) - middle) % TOLD.itemsize:
        return Remembered()
    counted, told = np.frombuffer(data[_HEADER:middle], COUNTED), np.frombuffer(data[middle:], TOLD)
    return Remembered(counted, told, header & _PART != 0)
