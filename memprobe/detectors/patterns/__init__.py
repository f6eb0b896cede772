"""Leaks that others have had: fingerprints of them in TOML files, and what is publicly known of each."""

from memprobe.detectors.patterns.format import BadPattern, Match, Pattern, parsed, written
from memprobe.detectors.patterns.library import Library, library, users_folder
from memprobe.detectors.patterns.matching import Facts, known, with_known

__all__ = [
    "BadPattern",
    "Facts",
    "Library",
    "Match",
    "Pattern",
    "known",
    "library",
    "parsed",
    "users_folder",
    "with_known",
    "written",
]
