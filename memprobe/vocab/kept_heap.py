"""A heap that is asked when its process is gone: its graph, and what only the process itself could tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class KeptHeap:
    """One look at a heap, kept whole; who keeps it need not know what the parts are."""

    texts: Mapping[str, Any]
    """By name, as JSON holds them: the fields of the document, and the words for the graph."""

    arrays: Mapping[str, npt.NDArray[np.unsignedinteger[Any]]]
    """By name, one dimension each."""

    lost: tuple[str, ...] = ()
    """The parts that could not be read back."""
