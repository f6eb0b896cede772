"""What everything costs, and what to shed next.

    costs.py        two samples of counters -> what the time between them cost, part by part
    calibration.py  what a hit costs that BPF's statistics do not see, measured on this machine
    metering.py     the seam: sources and memprobe's own process -> samples
    ladder.py       the fixed order of shedding
    budget.py       how far a rate may be over its limit, and for how long
    control.py      samples -> which rungs are shed: a pure function, so a replay decides the same
    overhead.py     the `overhead` section of the report, and the sentences for `invisible`
    governor.py     the one object that a session holds
    replaying.py    what it decided by, as plain data, and back

Everything but calibration and metering is free of clocks and of the machine it runs on.
"""

from memprobe.governor.calibration import Calibration, Calibrator
from memprobe.governor.control import Limits
from memprobe.governor.governor import CHECK_INTERVAL_NS, Governor, LiveGovernor, knobs_of
from memprobe.governor.replaying import governor_facts
from memprobe.vocab.costs import CostSample

__all__ = [
    "CHECK_INTERVAL_NS",
    "Calibration",
    "Calibrator",
    "CostSample",
    "Governor",
    "Limits",
    "LiveGovernor",
    "governor_facts",
    "knobs_of",
]
