"""Does it grow for good? One `Series` for each thing that is counted; docs/models.md explains the model."""

from __future__ import annotations

from memprobe.models.growth.needs import Known
from memprobe.models.growth.series import Series
from memprobe.models.growth.shape import Growth, Shape

__all__ = ["Growth", "Known", "Series", "Shape"]
