"""What needs C: memory of another process, in batches. It knows no other room of memprobe."""

from memprobe.native._native import read_region, read_regions

__all__ = ["read_region", "read_regions"]
