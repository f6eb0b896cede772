"""Batches folded into what is alive now. Arrays in, arrays and frozen dataclasses out; no clock, no I/O."""

from memprobe.ledger.ledger import Ledger

__all__ = ["Ledger"]
