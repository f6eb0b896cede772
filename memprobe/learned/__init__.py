"""What is normal for a program, kept across runs: the store. What it means is up to `models.learning`."""

from memprobe.learned.exchange import BadDocument, exported, imported
from memprobe.learned.opening import StoreFailed
from memprobe.learned.store import Known, Lessons, Observed, Reported, Said, Store

__all__ = [
    "BadDocument",
    "Known",
    "Lessons",
    "Observed",
    "Reported",
    "Said",
    "Store",
    "StoreFailed",
    "exported",
    "imported",
]
