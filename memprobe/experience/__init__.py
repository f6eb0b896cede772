"""What a run knows of earlier runs of its program, and what it hands on to later ones."""

from memprobe.experience.experience import Experience, Remembered, recorded_normal, remembered
from memprobe.experience.identity import program_of
from memprobe.experience.lessons import Stand

__all__ = ["Experience", "Remembered", "Stand", "program_of", "recorded_normal", "remembered"]
