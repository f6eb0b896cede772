"""From the bytes of the ring buffer to rows, without a loop over events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe import abi
from memprobe.abi import RecordKind
from memprobe.vocab import rows
from memprobe.vocab.rows import Rows, no_rows

STACK_HEAD = abi.STACK_RECORD.fields["python"][1]  # type: ignore[index]
"""Bytes of a stack record in front of its Python frames."""

Words = npt.NDArray[np.uint64]

Parcels = dict[int, tuple[bytes, bytes, bytes]]
"""What Ring.drain gives: for each kind heads, ends of tails, tails."""

SHAPES = {
    RecordKind.STACK.value: (STACK_HEAD, 0),
    # The path's length, so that the padding behind it stays in the ring.
    RecordKind.BIRTH.value: (rows.BIRTH.itemsize, rows.BIRTH.fields["path_bytes"][1]),  # type: ignore[index]
    RecordKind.DEATH.value: (rows.DEATH.itemsize, 0),
    RecordKind.PROCESS.value: (rows.PROCESS.itemsize, 0),
    RecordKind.COLLECTION.value: (rows.COLLECTION.itemsize, 0),
    RecordKind.TABLE.value: (rows.TABLE.itemsize, 0),
    RecordKind.LINK.value: (abi.LINK_RECORD.itemsize, 0),
}
"""How Ring is to take the records apart."""

_NATIVE = abi.STACK_RECORD.fields["native_instruction"][1]  # type: ignore[index]

_STACK_HEADS = np.dtype(
    {
        "names": ["pid", "stack_id", "python_count", "status"],
        "formats": ["<u4", "<u8", "<u2", "<u4"],
        "offsets": [16, 24, 32, 36],
        "itemsize": STACK_HEAD,
    }
)


@dataclass(frozen=True, slots=True)
class RawStack:
    """A stack as the kernel sent it."""

    stack_id: int
    pid: int
    """As the initial namespace numbers it."""
    status: int
    """abi.StackStatus."""
    frames: list[tuple[int, int, int]]
    """Code object, instruction, identity; innermost first."""
    native: Words
    """Where native code was, then the top of its stack; 0 where it could not be read."""


def table(parcels: Parcels, kind: RecordKind, dtype: np.dtype[np.void]) -> Rows:
    """The records of one kind as rows."""
    if kind not in parcels:
        return no_rows(dtype)
    return np.frombuffer(parcels[kind][0], dtype)


def process_records(parcels: Parcels) -> Rows:
    """The process records with all their fields."""
    if RecordKind.PROCESS not in parcels:
        return no_rows(abi.PROCESS_RECORD)
    return np.frombuffer(parcels[RecordKind.PROCESS][0], abi.PROCESS_RECORD)


def paths(parcels: Parcels) -> bytes:
    """The paths of all births, one after the other."""
    return parcels[RecordKind.BIRTH][2] if RecordKind.BIRTH in parcels else b""


def stacks(parcels: Parcels) -> list[RawStack]:
    """The stacks that are new; they are few, so that a loop over them is no loop over events."""
    if RecordKind.STACK not in parcels:
        return []
    heads, ends, tails = parcels[RecordKind.STACK]
    found = []
    starts = np.frombuffer(ends, "<u8").tolist()
    natives = np.frombuffer(heads, "<u8").reshape(-1, STACK_HEAD // 8)[:, _NATIVE // 8 :]
    for head, start, native in zip(
        np.frombuffer(heads, _STACK_HEADS).tolist(), starts, natives, strict=False
    ):
        pid, stack_id, count, status = head
        frames = np.frombuffer(tails, abi.PYTHON_FRAME, count, start)
        found.append(RawStack(stack_id, pid, status, frames.tolist(), native))
    return found
