"""Two BPF objects that share maps: what their tests have in common."""

from __future__ import annotations

import struct

import numpy as np

from memprobe import abi
from memprobe.native.bpf import (
    BpfObject,
)
from memprobe.sources.kernel.tracepoints import read_numbers

SHAPES = {
    abi.RecordKind.BIRTH.value: (64, 60),
    abi.RecordKind.DEATH.value: (48, 0),
}
ONLY = struct.pack("=I", 0)


def made_knobs() -> bytes:
    row = np.zeros(1, abi.KNOBS)
    row["handles"] = 1
    return row.tobytes()


def follow(loaded: dict[str, BpfObject], pid: int) -> None:
    loaded["processes"].write_map("targets", struct.pack("=I", pid), bytes(abi.TARGET.itemsize))


def numbers(*points: str) -> list[int]:
    found = read_numbers(f"syscalls/{point}" for point in points)
    return list(found.values())


def losses(loaded: dict[str, BpfObject]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    found = [loaded["processes"].read_map("losses", struct.pack("=I", loss.id)) for loss in abi.LOSSES]
    return np.array([np.frombuffer(one or b"", "<u8").sum() for one in found])
