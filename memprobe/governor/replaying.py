"""What a governor decides by, as plain data for a recording."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from memprobe.governor.governor import Governor


def governor_facts(governor: Governor) -> dict[str, Any]:
    """What its decisions depend on beside the samples."""
    calibration = governor.calibration
    plain = {name: getattr(calibration, name) for name in _NUMBERS}
    plain["hook_ns"] = {hook.value: cost for hook, cost in calibration.hook_ns.items()}
    plain["measured"] = sorted(calibration.measured)
    knobs = sorted({rung.knob.value for rung in governor.rungs})
    return {"limits": asdict(governor.limits), "knobs": knobs, "calibration": plain}


_NUMBERS = ("syscall_ns", "foreign_run_ns", "assumed_run_ns", "switch_first_ns", "switch_more_ns")
