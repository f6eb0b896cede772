"""Evidence in, findings out: one module per kind of leak.

A detector is a pure function of the evidence: it asks no clock, reads no file, and remembers nothing.
"""

from memprobe.detectors.evidence import Detector

DETECTORS: tuple[Detector, ...] = ()
"""All of them; their order does not matter."""
