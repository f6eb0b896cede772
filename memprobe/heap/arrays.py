"""The arrays of the native code as numpy arrays, without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from memprobe.native._heap import BigBuffer

Scalar = TypeVar("Scalar", bound=np.generic)


def view(buffer: BigBuffer, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """The buffer as a read-only array, which keeps it alive."""
    return np.frombuffer(memoryview(buffer), kind)
