"""What is normal for a program, kept across runs: the store. What it means is up to `models.learning`."""

from memprobe.learned.store import Known, Lessons, Observed, Reported, Said, Store

__all__ = ["Known", "Lessons", "Observed", "Reported", "Said", "Store"]
