"""All that there is to show of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memprobe.ledger import Ledger
from memprobe.views.history import History


@dataclass(frozen=True, slots=True)
class Story:
    """A run, live or recorded, as far as it has come."""

    document: dict[str, Any]
    """The report."""

    ledger: Ledger
    history: History
