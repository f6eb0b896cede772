"""Evidence in, findings out: one module per kind of leak.

A detector is a pure function of the evidence: it asks no clock, reads no file, and remembers nothing.
"""

from memprobe.detectors.evidence import Detector
from memprobe.detectors.handles import Handles
from memprobe.detectors.native import Native
from memprobe.detectors.sockets import Sockets
from memprobe.detectors.threads import Threads

DETECTORS: tuple[Detector, ...] = (Handles(), Sockets(), Threads(), Native())
"""All of them; their order does not matter."""
