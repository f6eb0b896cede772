"""Evidence in, findings out: one module per kind of leak.

A detector is a pure function of the evidence: it asks no clock, reads no file, and remembers nothing.
"""

from memprobe.detectors.caches import Caches
from memprobe.detectors.cycles import Cycles
from memprobe.detectors.evidence import Detector
from memprobe.detectors.handles import Handles
from memprobe.detectors.listeners import Listeners
from memprobe.detectors.native import Native
from memprobe.detectors.sockets import Sockets
from memprobe.detectors.tasks import Tasks
from memprobe.detectors.threads import Threads
from memprobe.detectors.timers import Timers

DETECTORS: tuple[Detector, ...] = (
    Handles(),
    Sockets(),
    Caches(),
    Cycles(),
    Listeners(),
    Tasks(),
    Timers(),
    Threads(),
    Native(),
)
"""All of them; their order does not matter."""
