"""Batches without what handles point to: `--redact`."""

from __future__ import annotations

from dataclasses import replace

from memprobe.vocab.batch import Batch

HIDDEN = "[redacted]"


def redacted(batch: Batch) -> Batch:
    """Return the batch without the paths of births and the texts of pictures."""
    births = batch.births.copy()
    births["path_bytes"] = 0
    pictures = tuple(replace(picture, texts=(HIDDEN,) * len(picture.texts)) for picture in batch.handles)
    return replace(batch, births=births, paths=b"", handles=pictures)
